/** Activity bits of `CpuState.activity` that the machine looks at. */
export { ACT_HALTED, ACT_SHUTDOWN, ACT_SMI_PENDING, ACT_WAIT_SIPI } from '@smm/cpu-core';
