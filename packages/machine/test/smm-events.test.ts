/**
 * What arrives at a processor in SMM waits for RSM: NMI, INIT, start-up IPI, another SMI. Intel SDM Vol. 3, "SMIs and
 * Interrupts Within SMM", "NMI Handling While in SMM". The vector tables of the interrupted guest are never used.
 */
import { SEG_CS } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { BENCHES, NMI_HANDLER, rsmBench } from './rsm/bench.ts';

const HANDLER_RIP = 0x8000n;

describe.each(BENCHES)('$name', ({ name, layout }) => {
  const bench = rsmBench(name);
  const { state } = bench.processor;

  it.each([
    ['NMI', (): void => bench.processor.raiseNmi()],
    ['INIT', (): void => bench.processor.raiseInit()],
    ['SIPI', (): void => bench.processor.raiseSipi(0x10)],
    ['SMI', (): void => bench.processor.raiseSmi()],
    [
      'all of them',
      (): void => {
        bench.processor.raiseSmi();
        bench.processor.raiseNmi();
        bench.processor.raiseInit();
        bench.processor.raiseSipi(0x10);
      },
    ],
  ])('%s waits in SMM', (_what, raise) => {
    expect(bench.stay(raise)).toBe('budget');
    expect(state.smm).toBe(true);
    expect(state.rip).toBe(HANDLER_RIP);
    expect(state.smbase).toBe(0x3_0000);
  });

  it.each([
    ['INIT is taken after RSM: all registers begin anew, SMBASE stays', true],
    ['without it the guest goes on with its registers', false],
  ])('%s', (_what, init) => {
    const { offset } = layout.fields.find((field) => field.name === 'rbp')!;
    bench.stay((processor) => init && processor.raiseInit(), [[offset - layout.areaOffset, 4, 0x1234n]]);
    bench.leave();
    expect(state.smm).toBe(false);
    expect(state.gpr32(5)).toBe(init ? 0 : 0x1234);
    expect(state.smbase).toBe(0x3_0000);
  });

  it('NMIs that came in SMM are one, taken right after RSM by the guest, which blocks the next until IRET', () => {
    bench.stay((processor) => processor.raiseNmi());
    bench.processor.raiseNmi();
    bench.stayOn();
    expect(state.rip).toBe(HANDLER_RIP);
    bench.leave();
    expect(state.smm).toBe(false);
    expect(state.rip).toBe(BigInt(NMI_HANDLER));
    const stack = state.gpr32(4);
    bench.processor.raiseNmi();
    bench.stayOn();
    expect(state.rip).toBe(BigInt(NMI_HANDLER));
    expect(state.gpr32(4)).toBe(stack);
  });

  it('an NMI handler that an SMI interrupts is still in NMI after RSM', () => {
    bench.stay((processor) => processor.raiseNmi());
    bench.leave();
    const stack = state.gpr32(4);
    const entries = bench.smmEntries;
    bench.processor.raiseSmi();
    bench.processor.raiseNmi();
    bench.stayOn();
    expect(bench.smmEntries).toBe(entries + 1);
    expect(state.smm).toBe(false);
    expect(state.rip).toBe(BigInt(NMI_HANDLER));
    expect(state.gpr32(4)).toBe(stack);
  });

  it('an SMI that came in SMM enters it again right after RSM', () => {
    bench.stay((processor) => processor.raiseSmi());
    const entries = bench.smmEntries;
    bench.leave();
    expect(bench.smmEntries).toBe(entries + 1);
  });

  it('a start-up IPI that came in SMM is lost', () => {
    bench.stay((processor) => processor.raiseSipi(0x10));
    expect(bench.leave()).toBe('budget');
    expect(state.smm).toBe(false);
    expect(state.segBase(SEG_CS)).not.toBe(0x1_0000);
    expect(bench.reason).toBeUndefined();
  });
});
