import { readFileSync } from 'node:fs';
import { BootSession, placeOf } from '@smm/machine';

let kept = new Uint8Array();
const decoder = new TextDecoder();
let screen = '';

// Debian's OVMF that requires SMM (package ovmf). In a web page these bytes come from `fetch`; everything else is the
// same there.
const session = new BootSession({
  machine: {
    code: readFileSync('/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'),
    vars: readFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd'),
    cpus: 2,
  },
  until: 'relocated', // or 'shell', { text: 'Press' }; none: until the guest ends, or session.leave()
  budget: 2_000_000_000,
  host: {
    now: () => performance.now(),
    breathe: () => new Promise((goOn) => setTimeout(goOn)), // every 50 ms: clicks, keys and painting come in between
  },
  // The guest's text: terminal.write(bytes) in a page that has a terminal; its keys go to session.send(byte) at any
  // time.
  show: (bytes) => {
    screen += decoder.decode(bytes, { stream: true });
  },
  // The variable store, soon after the guest has changed it: to a file, to IndexedDB.
  keepVars: (image) => {
    kept = Uint8Array.from(image);
  },
});

const { report } = await session.run();
const seen = `${screen.length} characters seen, ${kept.length} bytes kept`;
console.log(`${report.outcome} in phase ${report.phase}; ${seen}`);
for (const { id, smbase, rip, module } of report.cpus)
  console.log(`CPU ${id}: SMBASE 0x${smbase.toString(16)}, at ${placeOf(Number(rip), module)}`);
// => relocated in phase DXE; 0 characters seen, 0 bytes kept
// => CPU 0: SMBASE 0xffc1000, at PiSmmCpuDxeSmm+0x899b
// => CPU 1: SMBASE 0xffc3000, at CpuDxe+0x8731
