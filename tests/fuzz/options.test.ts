/** Any value for any option, alone and in pairs: a result, or an `SmmError` that names the option. */
import { assemble } from '@smm/asm';
import { PhysicalAddressSpace } from '@smm/bus';
import {
  CpuHotplug,
  FwCfg,
  Msi,
  Msix,
  PciBridge,
  PciDevice,
  type PciDeviceOptions,
  Pflash,
} from '@smm/chipset-q35';
import { cpuModel, createWindow, Engine } from '@smm/cpu-core';
import { buildFirmware, planTiles } from '@smm/edk2-relocation';
import { Boot, BootSession, bootInPieces, exploreRuns, Machine, prepareRelocation } from '@smm/machine';
import { EptTables, FlatMemory } from '@smm/mmu-ept';
import { checkTiles, SaveStateCodec } from '@smm/smram';
import {
  firstDivergence,
  formatTrace,
  parseTraceText,
  readTraceDat,
  TraceTextStream,
  writePerfetto,
  writeTraceDat,
} from '@smm/trace';
import { SAVE_STATE_AMD64, SmmError } from '@smm/x86-defs';
import { ApicBus, LocalApic } from '@smm/xapic';
import { describe, expect, it } from 'vitest';
import { sized } from '../support/form.ts';
import { fuzz } from '../support/fuzz.ts';

type Options = Record<string, unknown>;

/** What has options, with some that it takes. */
interface Subject {
  readonly base: Options;
  readonly options: string;
  readonly use: (options: never) => unknown;
  /** Builds a machine, which takes long: fewer values in the short form, fewer pairs in the full one. */
  readonly slow?: true;
}

const VALUES: readonly unknown[] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 0.5, 2 ** 31, 2 ** 53, -1e300],
  ...['', 'x', '7', '__proto__', 'constructor', null, true, false, 5n],
  ...[[], [null], {}, Object.create(null), JSON.parse('{"__proto__":{"length":1}}'), () => 7, Symbol('s')],
];

const flash = new Uint8Array(0x1_0000).fill(0xf4);
const processor = { smi: () => {}, nmi: () => {}, init: () => {}, sipi: () => {} };
const clock = { now: () => 0, createAlarm: () => ({ set: () => {}, cancel: () => {} }) };

const ENGINE = { window: createWindow(0x100_0000), cacheOffset: 0, cacheSize: 0x80_0000 };
const idleBoot = new Boot({ code: flash, vars: new Uint8Array(0x1000), memoryMiB: 32, tier: 'interpreter' });
const LINE = 'qemu-system-x86-1000 [000] 1.000001: kvm_enter_smm: vcpu 0: entering SMM, smbase 0x30000\n';
const NO_MEMORY = { readBlock: () => {}, writeBlock: () => {} };

class Card extends PciDevice {
  constructor(options: PciDeviceOptions) {
    super(options);
  }
}

const SUBJECTS: Record<string, Subject> = {
  Machine: {
    slow: true,
    base: {
      ...{ cpus: 1, memoryMiB: 32, model: cpuModel('qemu64'), flash, saveState: SAVE_STATE_AMD64 },
      ...{ accelerator: 'tcg', behaviour: {}, schedule: { seed: 0, slice: 100 }, comm: 'test' },
      tier: 'interpreter',
    },
    options:
      'cpus topology board debug memoryMiB model flash saveState accelerator behaviour schedule trace comm onReset onSleep peripherals parts observer nsPerInstruction yieldOnPause interpreter tier translator decodedMiB',
    use: (options) => new Machine(options).run({ instructions: 10 }),
  },
  Boot: {
    slow: true,
    base: { code: flash, vars: new Uint8Array(0x1000), memoryMiB: 32, tier: 'interpreter' },
    options:
      'code vars cpus memoryMiB cpu accelerator kvm host quirks smiFeatures keyboard topology bitness secureFlash sleepStates fwCfgFiles extTsegMb startTime debug acpi serial schedule nsPerInstruction lookEvery tier translator trace roomAgain varsWritten',
    use: (options) => new Boot(options).run(10),
  },
  Relocation: {
    slow: true,
    base: { rom: flash, memoryMiB: 64, tier: 'interpreter' },
    options:
      'cpus memoryMiB bitness cpu accelerator kvm host quirks edk2 tsegMb waitForRebased rom schedule budget nsPerInstruction trace tier translator progress interrupt',
    use: (options) => prepareRelocation(options).machine.run({ instructions: 10 }),
  },
  Engine: {
    base: ENGINE,
    options: 'window cacheOffset cacheSize interpreter translator',
    use: (options) => new Engine(options),
  },
  createProcessor: {
    base: { index: 0, ports: {}, model: cpuModel('qemu64'), bsp: true, tier: 'evaluator' },
    options: 'index ports model behaviour bsp tier',
    use: (options) => new Engine(ENGINE).createProcessor(options),
  },
  bootInPieces: {
    slow: true,
    base: { budget: 10 },
    options: 'until budget piece pieceNs noReboot giveUp interrupt',
    use: (options) => bootInPieces(idleBoot, options).next(),
  },
  exploreRuns: {
    slow: true,
    base: {
      relocation: { rom: flash, memoryMiB: 64, tier: 'interpreter', budget: 10 },
      runs: 1,
      memoryMiB: 64,
    },
    options: 'relocation runs slices firstSeed',
    use: (options) => exploreRuns(options).next(),
  },
  planTiles: {
    base: { tolud: 0x8000_0000, cpus: 2, shape: '2015' },
    options: 'tolud cpus shape handlerSize tsegMb',
    use: (options) => planTiles(options),
  },
  Pflash: {
    base: { name: 'pflash0', start: 0x1000, hostOffset: 0, sizeBytes: 0x1000, readonly: false, secure: true },
    options: 'name start hostOffset sizeBytes blockSize readonly secure',
    use: (options) =>
      new Pflash(
        { space: new PhysicalAddressSpace({ ram: flash }), bytes: flash, written: () => {} },
        options,
        1,
      ),
  },
  'a fw_cfg file': {
    base: { name: 'opt/file', data: flash },
    options: 'name data writable onSelect',
    use: (options) => new FwCfg(NO_MEMORY, 1, [options]),
  },
  PciDevice: {
    base: {
      ...{ name: 'card', place: { device: 3, function: 0 }, vendorId: 0x1234, deviceId: 1, revision: 0 },
      ...{ classCode: 0xff_0000, multifunction: false },
    },
    options:
      'name place bars interruptPin capabilities vendorId deviceId revision classCode multifunction subsystem',
    use: (options) => new Card(options),
  },
  BootSession: {
    slow: true,
    base: {
      machine: { code: flash, vars: new Uint8Array(0x1000), memoryMiB: 32, tier: 'interpreter' },
      host: { now: () => 0, breathe: async () => {} },
    },
    options: 'until budget noReboot host show fed keepVars progress attended timeout',
    use: (options) => new BootSession(options),
  },
  PciBridge: {
    base: {
      ...{ name: 'bridge', place: { device: 3, function: 0 }, behind: [] },
      ...{ vendorId: 0x1b36, deviceId: 1, revision: 0, multifunction: false },
    },
    options: 'name place behind express interruptPin capabilities vendorId deviceId revision multifunction',
    use: (options) => new PciBridge(options),
  },
  Msi: {
    base: { offset: 0x40, vectors: 1, address64: false, maskable: false },
    options: 'offset vectors address64 maskable',
    use: (options) => new Msi(options),
  },
  Msix: {
    base: { offset: 0x40, vectors: 1, bar: 0, tableOffset: 0, pbaOffset: 0x800 },
    options: 'offset vectors bar tableOffset pbaOffset',
    use: (options) => new Msix(options),
  },
  CpuHotplug: { base: {}, options: 'base apicIds', use: (options) => new CpuHotplug(1, options) },
  buildFirmware: {
    slow: true,
    base: { bitness: 64, shape: '2024' },
    options: 'bitness shape waitForRebased tsegMb quirks gatherPolls tolud',
    use: (options) => buildFirmware(options),
  },
  EptTables: {
    base: { accessedDirty: true, executeOnly: true, hostMaxPhyAddr: 40 },
    options: 'accessedDirty executeOnly hostMaxPhyAddr',
    use: (options) => new EptTables(new FlatMemory(0x1_0000, 0), options),
  },
  LocalApic: {
    base: { apicId: 0, bus: undefined, clock, processor },
    options:
      'apicId bus clock processor onChange pic bsp version lvtCount eoiBroadcastSuppression x2apic physicalAddressBits busHz',
    use: (options: Options) => new LocalApic({ ...options, bus: options['bus'] ?? new ApicBus() } as never),
  },
  ApicBus: {
    base: {},
    options: 'flavour behaviour observer onEoi',
    use: (options) => new ApicBus(options),
  },
  SaveStateCodec: {
    base: {},
    options: 'clearUnused interruptShadow',
    use: (options) => new SaveStateCodec(SAVE_STATE_AMD64, options),
  },
  checkTiles: {
    base: {},
    options: 'handlerSizeBytes dataBelowMapBytes alignment smram',
    use: (options) => checkTiles([0x3_0000, 0x3_2000], 0x2000, options),
  },
  assemble: {
    base: {},
    options: 'bits org symbols',
    use: (options) => assemble('mov ax, 1\njmp $', options),
  },
  writeTraceDat: {
    base: {},
    options: 'form cpus version codec',
    use: (options) => writeTraceDat([], options),
  },
  formatTrace: {
    base: {},
    options: 'form plugins nanoseconds cpus',
    use: (options) => formatTrace([], options),
  },
  parseTraceText: { base: {}, options: 'form', use: (options) => parseTraceText(LINE, options) },
  TraceTextStream: {
    base: {},
    options: 'form formWindow mostWaiting mostNotes',
    use: (options) => new TraceTextStream(options).push(new TextEncoder().encode(LINE)),
  },
  readTraceDat: {
    base: {},
    options: 'codecs',
    use: (options) => readTraceDat(writeTraceDat(parseTraceText(LINE).events), options),
  },
  writePerfetto: { base: {}, options: 'title', use: (options) => writePerfetto([], options) },
  firstDivergence: {
    base: {},
    options: 'context form ignorePorts tails',
    use: (options) => firstDivergence([], [], options),
  },
};

/** The words that an error about these options has one of. */
function attempt({ base, use }: Subject, changes: Options): void {
  try {
    use({ ...base, ...changes } as never);
  } catch (error) {
    if (!SmmError.isInstance(error)) throw error;
    const told = `${error.message} ${error.fix} ${JSON.stringify(Object.keys(error.details ?? {}))}`;
    const words = Object.keys(changes).flatMap((name) => [name, name.replace(/[A-Z].*/, '')]);
    if (!words.some((word) => told.toLowerCase().includes(word.toLowerCase())) || error.fix.length < 10)
      throw new Error(`the error does not name ${words.join(' or ')}: ${told}`, { cause: error });
  }
}

describe.each(Object.entries(SUBJECTS))('%s', (_name, subject) => {
  const names = subject.options.split(' ');
  const show = (changes: Options) =>
    Object.entries(changes)
      .map(([name, value]) => `${name}: ${typeof value} ${Array.isArray(value) ? 'array' : ''}`)
      .join();

  it('takes what it documents', () => {
    expect(() => subject.use(subject.base as never)).not.toThrow();
  });

  it.each(names)('%s', (name) => {
    for (const value of subject.slow
      ? sized([Number.NaN, -1, 2 ** 53, null, '__proto__', Object.create(null), () => 7], VALUES)
      : VALUES) {
      try {
        attempt(subject, { [name]: value });
      } catch (error) {
        const shown = typeof value === 'object' ? `object, ${JSON.stringify(value)}` : String(value);
        throw new Error(`${name} as ${typeof value} ${shown}: ${String(error)}`, { cause: error });
      }
    }
  });

  it('options in pairs', () => {
    fuzz<Options>({
      runs: subject.slow ? [4, 2_000] : [40, 20_000],
      make: (random) =>
        Object.fromEntries([0, 1].map(() => [random.pick(names), random.pick(VALUES)] as const)),
      use: (changes) => attempt(subject, changes),
      show,
    });
  });
});
