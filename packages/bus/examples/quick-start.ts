import { PhysicalAddressSpace, TX_SMM, VirtualClock } from '@smm/bus';

const unclaimed: string[] = [];
const memory = new PhysicalAddressSpace({
  ram: new Uint8Array(0x10000),
  onUnclaimed: ({ gpa, name }) => unclaimed.push(`${gpa.toString(16)} (${name})`),
});
memory.add({ kind: 'ram', name: 'ram', start: 0, sizeBytes: 0x10000, hostOffset: 0 });
// SMRAM: plain RAM for processors in SMM, nothing for everybody else.
memory.add({
  kind: 'hole',
  name: 'smram',
  start: 0x8000,
  sizeBytes: 0x1000,
  priority: 1,
  visible: 'normal-only',
});
memory.write(0x8000, 4, 0x1234, TX_SMM);
console.log(memory.read(0x8000, 4, TX_SMM).toString(16)); // => 1234
console.log(memory.read(0x8000, 4, 0).toString(16)); // => ffffffff
console.log(unclaimed.join()); // => 8000 (smram)

const clock = new VirtualClock();
let firedAt = 0;
const alarm = clock.createAlarm('tick', () => {
  firedAt = clock.now();
});
alarm.set(500);
clock.advanceTo(1000);
console.log(firedAt); // => 500
