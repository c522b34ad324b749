import {
  APIC_DEST_ALLBUT,
  APIC_DM_SMI,
  APIC_INT_ASSERT,
  SAVE_STATE_LAYOUTS,
  SMM_DEFAULT_SMBASE,
  SMM_HANDLER_OFFSET,
  SmmError,
} from '@smm/x86-defs';

console.log((APIC_DEST_ALLBUT | APIC_INT_ASSERT | APIC_DM_SMI).toString(16)); // => c4200

// Where does each save-state map keep SMBASE, counted from SMBASE itself?
for (const { name, fields } of Object.values(SAVE_STATE_LAYOUTS)) {
  const field = fields.find((row) => row.name === 'smbase');
  console.log(name, field && (SMM_HANDLER_OFFSET + field.offset).toString(16));
}
// => amd64 ff00
// => legacy32-qemu fef8
// => legacy32-kvm fef8
// => intel64 fef8
console.log((SMM_DEFAULT_SMBASE + SMM_HANDLER_OFFSET).toString(16)); // => 38000

const error = new SmmError('CPU_COUNT', 'there are 300 processors', 'Use 1 to 255.', { count: 300 });
console.log(SmmError.isInstance(error), error.code, error.fix); // => true CPU_COUNT Use 1 to 255.
