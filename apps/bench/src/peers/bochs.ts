/**
 * Bochs as a peer. Debian's build offers a display through RFB or X only, and waits for a viewer before it starts: we
 * connect one that asks for nothing. It has the debugger built in, which must be told to continue. The guest ends Bochs
 * through its shutdown port.
 */
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { timedChild } from '../cpu-time.ts';
import type { Peer } from './peer.ts';
import { withFiles } from './scratch.ts';
import { firstLine } from './version.ts';

const CONNECT_MS = 50;

/** A video BIOS that does nothing: Bochs refuses to start without one. */
function emptyVideoBios(): Uint8Array {
  const rom = new Uint8Array(32_768);
  rom.set([0x55, 0xaa, rom.length / 512, 0xcb]); // retf
  rom[rom.length - 1] = 0x100 - (rom.reduce((sum, byte) => sum + byte, 0) & 0xff);
  return rom;
}

function configuration(rom: string, videoBios: string, log: string, processors: number): string {
  return `megs: 64
romimage: file=${rom}
vgaromimage: file=${videoBios}
display_library: rfb, options="timeout=30"
cpu: model=corei7_haswell_4770, count=${processors}, ips=100000000
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
plugin_ctrl: speaker=0
port_e9_hack: enabled=1
panic: action=fatal
log: ${log}
`;
}

/** Connects a viewer to the port that Bochs writes to its log; it takes part in the handshake and then only listens. */
function watchForDisplay(log: string): () => void {
  let socket: Socket | undefined;
  const timer = setInterval(() => {
    const port =
      existsSync(log) && /listening for connections on port (\d+)/.exec(readFileSync(log, 'latin1'));
    if (!port || socket !== undefined) return;
    const replies = [Buffer.from('RFB 003.003\n'), Buffer.from([1])];
    socket = connect(Number(port[1]), '127.0.0.1');
    socket.on('data', () => {
      const reply = replies.shift();
      if (reply !== undefined) socket!.write(reply);
    });
    socket.on('error', () => socket!.destroy());
  }, CONNECT_MS);
  return () => {
    clearInterval(timer);
    socket?.destroy();
  };
}

/** Bochs, Debian's build. */
export const bochs: Peer = {
  name: 'bochs',
  bits: [32, 64],
  offers: ['smm', 'apic', 'smp'],
  version: () => firstLine(['bochs', '--help'], /Bochs x86 Emulator (\S+)/),
  run: (rom, processors) =>
    withFiles(
      [
        { name: 'rom.bin', content: rom },
        { name: 'video.bin', content: emptyVideoBios() },
        { name: 'commands', content: 'c\n' },
      ],
      async ([romPath, videoPath, commands], directory) => {
        const log = join(directory, 'bochs.log');
        const text = configuration(romPath!, videoPath!, log, processors);
        return withFiles([{ name: 'bochsrc', content: text }], async ([rc]) => {
          const stop = watchForDisplay(log);
          try {
            const child = await timedChild(['bochs', '-q', '-f', rc!, '-rc', commands!]);
            const output = /^R=[0-9a-f]+$/m.exec(child.stdout.replaceAll('\r', ''))?.[0] ?? '';
            return { output, seconds: child.seconds, note: child.stdout.slice(-200) };
          } finally {
            stop();
          }
        });
      },
    ),
};
