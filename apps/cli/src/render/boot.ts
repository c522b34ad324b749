/** A boot, for a person and as JSON. */
import {
  activityOf,
  type BootOutcome,
  type BootReport,
  type BootSleep,
  placeOf,
  vmxExitName,
} from '@smm/machine';
import type { BootRequest } from '../boot/request.ts';
import type { BootResult } from '../boot/session.ts';
import type { Io } from '../io.ts';
import { describeHost } from './configuration.ts';
import { configurationToJson } from './run-json.ts';
import { colours, counted, hex, table, wrap } from './text.ts';

const GOOD: ReadonlySet<BootOutcome> = new Set(['shell', 'prompt', 'relocated', 'text', 'powered-off']);

/** Exit code 0: what was asked for came, or the user or the guest ended it. */
export function isSuccess({ goal }: BootRequest, { report, left }: BootResult): boolean {
  if (left) return true;
  return goal === undefined ? GOOD.has(report.outcome) : report.outcome === outcomeOf(goal);
}

function outcomeOf(goal: NonNullable<BootRequest['goal']>): BootOutcome {
  return typeof goal === 'object' ? 'text' : goal;
}

/** What is told on standard error when the guest is done. */
export function renderBoot(request: BootRequest, result: BootResult, io: Io): string {
  const { report } = result;
  const good = isSuccess(request, result);
  const text = report.summary.startsWith(report.outcome)
    ? report.summary
    : `${report.outcome}: ${report.summary}`;
  const colour = colours(io);
  const mips = report.instructions / 1e6 / Math.max(result.cpuSeconds, 1e-3);
  return [
    describeBoot(request),
    wrap(`${good ? colour.green(text) : colour.red(text)}.`, io),
    table(
      ['CPU', 'SMBASE', 'SMM entries', 'what it does'],
      report.cpus.map((cpu) => [
        String(cpu.id),
        hex(cpu.smbase),
        String(cpu.smmEntries),
        activityOf(cpu, report.stuck),
      ]),
      io,
    ),
    colour.dim(
      `${counted(report.instructions, 'instruction')}, ${(report.virtualNs / 1e9).toFixed(1)} virtual seconds, ` +
        `${result.cpuSeconds.toFixed(1)} s of processor time, ${mips.toFixed(0)} MIPS; ${counted(report.smis, 'SMI')}${smisInWords(report)}.`,
    ),
    ...debugTail(request, result),
    ...report.sleeps.map((sleep) => colour.dim(sleepInWords(sleep))),
    ...(result.varsWritten === undefined ? [] : [colour.dim(`Variables written to ${result.varsWritten}.`)]),
    '',
  ].join('\n');
}

/** ` (48 in DXE, 526 in BDS; command 00h)`; each command with its count where there are several. */
function smisInWords({ smisByPhase, smisByCommand }: BootReport): string {
  const phases = [...smisByPhase].map(([phase, count]) => `${count} in ${phase}`);
  const commands = [...smisByCommand]
    .sort(([a], [b]) => a - b)
    .map(([command, count]) => {
      const byte = `${command.toString(16).padStart(2, '0').toUpperCase()}h`;
      return smisByCommand.size === 1 ? `command ${byte}` : `command ${byte} ${count} times`;
    });
  const parts = [phases, commands].filter((each) => each.length > 0).map((each) => each.join(', '));
  return parts.length === 0 ? '' : ` (${parts.join('; ')})`;
}

/** Lines of the debug port that a report shows, and that JSON holds at most: the last ones. */
const DEBUG_LINES = 8;
const MOST_DEBUG_LINES = 1000;

/** The last lines on the debug port, for who has not asked for it. */
function debugTail({ machine }: BootRequest, { report }: BootResult): string[] {
  const { debugLines } = report;
  if (machine.debug !== undefined || debugLines.length === 0) return [];
  const last = debugLines.filter((line) => line !== '').slice(-DEBUG_LINES);
  return [
    `On the debug port 402h (${counted(debugLines.length, 'line')}, -debugcon stdio shows them), last:`,
    ...last.map((line) => `  ${line.replace(/\p{Cc}/gu, '.')}`),
  ];
}

/** `In S3 from 12.3 to 16.0 virtual seconds, woken by the RTC; SMBASE relocated again: 0x7ffc1000 0x7ffc3000.` */
function sleepInWords({ fromNs, toNs, wokenBy, relocated }: BootSleep): string {
  const seconds = (ns: number): string => (ns / 1e9).toFixed(1);
  if (toNs === undefined) return `In S3 since ${seconds(fromNs)} virtual seconds.`;
  const smbases = [...relocated].sort(([a], [b]) => a - b).map(([, smbase]) => hex(smbase));
  const again = smbases.length === 0 ? 'no SMBASE relocated' : `SMBASE relocated again: ${smbases.join(' ')}`;
  return `In S3 from ${seconds(fromNs)} to ${seconds(toNs)} virtual seconds, woken by the ${wokenBy}; ${again}.`;
}

/** `OVMF_CODE_4M.secboot.fd, 2 CPUs, 256 MiB, tcg`. */
export function describeBoot({ machine, files }: BootRequest): string {
  const { cpus = 1, cpu, memoryMiB } = machine;
  return [
    files.code.slice(files.code.lastIndexOf('/') + 1),
    counted(cpus, 'CPU'),
    ...(cpu === undefined ? [] : [`-cpu ${cpu}`]),
    `${memoryMiB} MiB`,
    describeHost(machine),
  ].join(', ');
}

/** The object that `smm boot --json` prints. Addresses are lower-case 0x strings. */
export function bootToJson(request: BootRequest, result: BootResult): Record<string, unknown> {
  const { report, serial } = result;
  const { machine, files, varsOut } = request;
  const { stuck } = report;
  return {
    version: 1,
    outcome: report.outcome,
    summary: report.summary,
    configuration: bootConfigurationToJson(machine),
    firmware: { code: files.code, vars: files.vars ?? null, varsOut: varsOut?.path ?? null },
    phase: report.phase,
    cpus: report.cpus.map(({ id, smbase, smmEntries, rip, smm, idle, module }) => ({
      id,
      smbase: hex(smbase),
      smmEntries,
      state: idle ?? (stuck?.processor === id ? 'spinning' : 'running'),
      inSmm: smm,
      rip: hex(BigInt.asUintN(64, rip)),
      module: module === undefined ? null : { name: module.name, offset: hex(module.offset) },
    })),
    stuck:
      stuck === undefined
        ? null
        : {
            cpu: stuck.processor,
            at: placeOf(stuck.rip, stuck.module),
            rip: hex(stuck.rip),
            period: stuck.period,
            reads: stuck.reads.map((address) => hex(BigInt.asUintN(64, BigInt(address)))),
            sinceVirtualSeconds: stuck.sinceNs / 1e9,
          },
    smis: {
      total: report.smis,
      byPhase: Object.fromEntries(report.smisByPhase),
      byCommand: Object.fromEntries([...report.smisByCommand].map(([command, n]) => [hex(command), n])),
    },
    debug: report.debugLines.slice(-MOST_DEBUG_LINES),
    delivered: Object.fromEntries(report.delivered),
    serial,
    nvram: { sha256: result.nvramSha256, writtenTo: result.varsWritten ?? null },
    exits: [...report.exits]
      .sort(([, a], [, b]) => b - a)
      .map(([reason, count]) => ({ reason, name: vmxExitName(reason), count })),
    resets: report.resets,
    sleeps: report.sleeps.map(({ fromNs, toNs, wokenBy, relocated }) => ({
      fromVirtualSeconds: fromNs / 1e9,
      toVirtualSeconds: toNs === undefined ? null : toNs / 1e9,
      wokenBy: wokenBy ?? null,
      relocated: [...relocated]
        .sort(([a], [b]) => a - b)
        .map(([cpu, smbase]) => ({ cpu, smbase: hex(smbase) })),
    })),
    instructions: report.instructions,
    virtualSeconds: report.virtualNs / 1e9,
    cpuSeconds: result.cpuSeconds,
    seconds: result.seconds,
    mips: report.instructions / 1e6 / Math.max(result.cpuSeconds, 1e-3),
  };
}

function bootConfigurationToJson(machine: BootRequest['machine']): Record<string, unknown> {
  const { code: _code, vars: _vars, ...options } = machine;
  const { cpus, memoryMiB, cpu, accelerator, kvm, host, quirks } = configurationToJson(options);
  return { cpus, memoryMiB, cpu: cpu ?? 'qemu64', accelerator, kvm, host, quirks };
}
