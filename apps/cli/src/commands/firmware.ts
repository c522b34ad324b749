/** `smm firmware`: writes the flash image, for a real QEMU. */
import { buildFirmware, FIRMWARE_QUIRKS, type FirmwareQuirk } from '@smm/edk2-relocation';
import { findQuirk } from '@smm/machine';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { bitnessOf, once, tsegOf } from '../options.ts';
import { oneOf } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly output: string;
  readonly bitness?: string;
  readonly edk2?: string;
  readonly tseg?: string;
  readonly wait: boolean;
  readonly s3?: boolean;
  readonly quirk?: string;
}

const HELP = `
The image is the one that smm relocate runs. A file of that name is overwritten.

Examples:
  smm firmware -o rom.bin --bitness 32
  qemu-system-i386 -machine q35,smm=on,accel=tcg -cpu coreduo,-nx -m 2048 -smp 2 -display none \\
    -bios rom.bin -debugcon stdio -global isa-debugcon.iobase=0x402
  smm firmware -o q7.bin --quirk Q7          with the SMBASE field of the wrong map
`;

/** Adds `firmware`. */
export function firmwareCommand(program: Command, { io }: Context): void {
  program
    .command('firmware')
    .description('write the flash image that relocates SMBASE, for a real QEMU')
    .requiredOption('-o, --output <file>', 'file to write', once('-o'))
    .option('--bitness <width>', '32 or 64 (default: 64)', once('--bitness'))
    .option(
      '--edk2 <shape>',
      '2015 (PiSmmCpuDxeSmm) or 2024 (SmmRelocationLib) (default: 2015)',
      once('--edk2'),
    )
    .option('--tseg <MiB>', 'size of TSEG: 1, 2 or 8 (default: 8)', once('--tseg'))
    .option(
      '--quirk <list>',
      `defects to build in: ${Object.keys(FIRMWARE_QUIRKS).join(', ')}`,
      once('--quirk'),
    )
    .option('--s3', 'a firmware that sleeps in S3 once and relocates again (shape 2015)')
    .option('--no-wait', 'a BSP that does not wait for mRebased: a race on purpose')
    .addHelpText('after', HELP)
    .action((flags: Flags) => {
      const bitness = flags.bitness === undefined ? 64 : bitnessOf(flags.bitness);
      const shape = flags.edk2 === undefined ? '2015' : oneOf('--edk2', flags.edk2, ['2015', '2024']);
      const tsegMb = flags.tseg === undefined ? 8 : tsegOf(flags.tseg);
      const output = io.claim('the firmware', flags.output);
      const { image } = buildFirmware({
        bitness,
        shape,
        tsegMb,
        waitForRebased: flags.wait,
        s3: flags.s3 ?? false,
        quirks: flags.quirk === undefined ? [] : flags.quirk.split(',').map(firmwareQuirk),
      });
      output.replace(image);
      io.err(
        `Wrote ${image.length / 1024} KiB to ${flags.output}: ${bitness}-bit, edk2 ${shape}, TSEG ${tsegMb} MiB.\n`,
      );
    });
}

function firmwareQuirk(text: string): FirmwareQuirk {
  const { id, effects } = findQuirk(text.replace(/^\+/, ''));
  if (effects.firmware !== undefined) return effects.firmware;
  throw new UsageError(
    `${id} is no defect of the firmware`,
    `Use one of ${Object.keys(FIRMWARE_QUIRKS).join(', ')}; the others belong to smm relocate --quirk.`,
  );
}
