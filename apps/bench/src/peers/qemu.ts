/** QEMU's TCG as a peer. The guest ends it through isa-debug-exit. */
import { timedChild } from '../cpu-time.ts';
import type { Peer } from './peer.ts';
import { withFiles } from './scratch.ts';
import { firstLine } from './version.ts';

const PROGRAM = 'qemu-system-x86_64';

/** QEMU TCG, one thread. */
export const qemuTcg: Peer = {
  name: 'qemu-tcg',
  bits: [32, 64],
  effort: 4,
  version: () => firstLine([PROGRAM, '--version'], /version (\S+)/),
  run: (rom) =>
    withFiles([{ name: 'rom.bin', content: rom }], async ([path]) => {
      const machine = ['-machine', 'q35', '-accel', 'tcg,thread=single', '-cpu', 'max', '-m', '64'];
      const bare = ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'];
      const debugcon = ['-chardev', 'stdio,id=out', '-device', 'isa-debugcon,iobase=0x402,chardev=out'];
      const exit = ['-device', 'isa-debug-exit,iobase=0xf4'];
      const child = await timedChild([PROGRAM, ...machine, ...bare, '-bios', path!, ...debugcon, ...exit]);
      return { output: child.stdout.trim(), seconds: child.seconds, note: `exit code ${child.code}` };
    }),
};
