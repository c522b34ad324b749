/** Events between two instructions, by urgency. Intel SDM Vol. 3, "Priority Among Concurrent Events". */
import { DB_VECTOR, NMI_VECTOR, RFLAGS_IF } from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { deliverEvent } from './exceptions.ts';
import { startAt } from './reset.ts';
import { enterSmm } from './smm.ts';

const SHADOWS = L.ACT_SHADOW_STI | L.ACT_SHADOW_MOVSS;
/** DR6.BS. */
const DR6_BS = 0x4000;

/** INIT waits until SMM is left. */
export function initBlocked(cpu: Processor): boolean {
  return cpu.state.smm && cpu.behaviour.initBlockedInSmm;
}

/** Takes the most urgent event that may be taken now. False if there is none. */
export function takeEvent(cpu: Processor): boolean {
  const s = cpu.state;
  const act = s.activity;
  if (act & L.ACT_SMI_PENDING && !(act & (L.ACT_SMM | L.ACT_SHADOW_MOVSS)) && smiAccepted(cpu)) {
    wake(cpu, 'smi');
    s.activity &= ~L.ACT_SMI_PENDING;
    enterSmm(cpu, (act & L.ACT_HALTED) !== 0);
    return true;
  }
  if (act & L.ACT_INIT_PENDING && !initBlocked(cpu)) {
    wake(cpu, 'init');
    cpu.reset('init', (act & L.ACT_BSP) !== 0);
    cpu.ports.observer?.initTaken?.(cpu.index);
    return true;
  }
  if (act & L.ACT_WAIT_SIPI) {
    if (!(act & L.ACT_SIPI_PENDING)) return false;
    const vector = s.sipiVector;
    s.activity &= ~(L.ACT_SIPI_PENDING | L.ACT_WAIT_SIPI);
    startAt(cpu, vector);
    cpu.ports.observer?.sipiTaken?.(cpu.index, vector);
    return true;
  }
  if (act & L.ACT_DEBUG_TRAP && !(act & L.ACT_SHUTDOWN)) {
    s.activity &= ~(L.ACT_DEBUG_TRAP | L.ACT_HALTED);
    s.dr6 |= DR6_BS;
    deliverEvent(cpu, DB_VECTOR, 'trap');
    return true;
  }
  if (act & SHADOWS) return false;
  if (act & L.ACT_NMI_PENDING && !(act & L.ACT_NMI_BLOCKED)) {
    wake(cpu, 'nmi');
    s.activity = (s.activity & ~(L.ACT_NMI_PENDING | L.ACT_SHUTDOWN)) | L.ACT_NMI_BLOCKED;
    deliverEvent(cpu, NMI_VECTOR, 'nmi');
    return true;
  }
  if (act & L.ACT_SHUTDOWN || !(s.eflags & RFLAGS_IF)) return false;
  if (cpu.ports.apic.pendingVector() < 0) return false;
  wake(cpu, 'interrupt');
  deliverEvent(cpu, cpu.ports.apic.acknowledge(), 'interrupt');
  return true;
}

function smiAccepted({ state, behaviour }: Processor): boolean {
  if (state.activity & L.ACT_WAIT_SIPI) return behaviour.smiInWaitForSipi === 'wakes';
  return !(state.activity & L.ACT_HALTED) || behaviour.smiWakesHalted;
}

function wake(cpu: Processor, cause: 'smi' | 'nmi' | 'interrupt' | 'init'): void {
  if (!(cpu.state.activity & L.ACT_HALTED)) return;
  cpu.state.activity &= ~L.ACT_HALTED;
  cpu.ports.observer?.woken?.(cpu.index, cause);
}
