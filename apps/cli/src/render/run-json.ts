/** One run as JSON; the schema is `schema/relocate.schema.json`. Addresses are lower-case 0x strings. */
import { DEFAULT_HOST, quirksInForce, type RelocationOptions } from '@smm/machine';
import type { Run } from '../drive.ts';
import { hex } from './text.ts';

/** The object that `smm relocate --json` prints. */
export function runToJson({ options, report }: Run): Record<string, unknown> {
  return {
    version: 1,
    outcome: report.outcome,
    summary: report.summary,
    configuration: configurationToJson(options),
    cpus: report.cpus.map((cpu) => ({
      id: cpu.id,
      smbase: hex(cpu.smbase),
      planned: cpu.planned === undefined ? null : hex(cpu.planned),
      state: cpu.state,
      waitingOn: cpu.waitingOn ?? null,
      inSmm: cpu.smm,
      rip: hex(BigInt.asUintN(64, cpu.rip)),
      smmEntries: cpu.smmEntries,
    })),
    firstSmi: report.firstSmi ?? null,
    log: report.log,
    proof:
      report.proof === undefined
        ? null
        : {
            sentence: report.proof.sentence,
            loops: report.proof.loops.map(({ id, period, reads }) => ({
              id,
              period,
              reads: reads.map((address) => hex(BigInt.asUintN(64, BigInt(address)))),
            })),
          },
    shutdown: report.shutdown ?? null,
    instructions: report.instructions,
    virtualNs: report.virtualNs,
    exits: [...report.exits].map(([reason, count]) => ({ reason, count })),
    notes: report.notes,
  };
}

/** A configuration as JSON, defaults filled in. */
export function configurationToJson(options: RelocationOptions): Record<string, unknown> {
  const { accelerator = 'tcg', host, quirks, bitness = 64, cpu, schedule } = options;
  return {
    cpus: options.cpus ?? 1,
    memoryMiB: options.memoryMiB ?? 2048,
    bitness,
    cpu: cpu ?? null,
    accelerator,
    kvm: options.kvm ?? {},
    host: accelerator === 'kvm' ? (host ?? DEFAULT_HOST) : null,
    quirks: quirksInForce({ accelerator, host, quirks }),
    firmware: options.rom === undefined ? `edk2 ${options.edk2 ?? '2015'}` : 'rom',
    tsegMb: options.tsegMb ?? null,
    waitForRebased: options.waitForRebased ?? true,
    s3: options.s3 ?? false,
    seed: schedule?.seed ?? 0,
    slice: schedule?.slice ?? 10_000,
  };
}
