/** QEMU's TCG as a peer. The guest ends it through isa-debug-exit. */
import { timedChild } from '../cpu-time.ts';
import type { Peer } from './peer.ts';
import { withFiles } from './scratch.ts';
import { firstLine } from './version.ts';

/** The program. */
export const QEMU = 'qemu-system-x86_64';

/** QEMU TCG, one thread. */
export const qemuTcg: Peer = {
  name: 'qemu-tcg',
  bits: [32, 64],
  offers: ['smm', 'apic', 'smp'],
  version: () => firstLine([QEMU, '--version'], /version (\S+)/),
  run: (rom, processors) =>
    withFiles([{ name: 'rom.bin', content: rom }], async ([path]) => {
      const machine = ['-machine', 'q35', '-accel', 'tcg,thread=single', '-cpu', 'max', '-m', '64'];
      const smp = ['-smp', String(processors)];
      const bare = ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'];
      const debugcon = ['-chardev', 'stdio,id=out', '-device', 'isa-debugcon,iobase=0x402,chardev=out'];
      const exit = ['-device', 'isa-debug-exit,iobase=0xf4'];
      const child = await timedChild([
        QEMU,
        ...machine,
        ...smp,
        ...bare,
        '-bios',
        path!,
        ...debugcon,
        ...exit,
      ]);
      return { output: child.stdout.trim(), seconds: child.seconds, note: `exit code ${child.code}` };
    }),
};
