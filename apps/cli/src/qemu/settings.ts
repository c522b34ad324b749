/** What QEMU's options on a command line ask for, sorted by the table. */
import { wholeNumber } from '../qemu-values.ts';
import { UsageError } from '../usage-error.ts';
import { DISK_DRIVERS, type DiskSetting, diskSettings, drivesUsed, RNG_DRIVERS, slotOf } from './disks.ts';
import { flashDrives, type PflashDrive } from './flash.ts';
import { isOn, joined, type KeyValues, keyValues } from './keyval.ts';
import { PROGRAM, type QemuOption, rowOf } from './table.ts';

/** A file for the firmware by `-fw_cfg`. */
interface FwCfgSetting {
  /** Name, such as `opt/org.example/x`. */
  readonly name: string;
  /** Its content, or the file that holds it. */
  readonly content: { readonly text: string } | { readonly path: string };
}

/** Options that nobody here acts on. */
export interface LeftOut {
  /** As written. */
  readonly text: string;
  /** Why it can be left out, or what to do instead. */
  readonly note: string;
}

/** Everything that is asked for; undefined: nothing was said of it. */
export interface QemuSettings {
  /** Name of the program that the command line began with: the architecture. */
  readonly program: 'x86_64' | 'i386' | undefined;
  /** Members of `-machine` that act. */
  readonly machine: KeyValues;
  /** Members of `-accel` that act. */
  readonly accel: KeyValues;
  /** `-cpu`. */
  readonly cpu: string | undefined;
  /** `-cpu NAME,enforce`. */
  readonly enforce: boolean;
  /** Members of `-smp` that act. */
  readonly smp: KeyValues;
  /** Size of `-m`. */
  readonly memory: string | undefined;
  /** Flash chips. */
  readonly drives: readonly PflashDrive[];
  /** Disks. */
  readonly disks: readonly DiskSetting[];
  /** There is an entropy source, on this PCI device number if one is given. */
  readonly rng: { readonly slot?: number } | undefined;
  /** `-bios`, and folders to look for it. */
  readonly bios: string | undefined;
  readonly folders: readonly string[];
  /** `-snapshot`. */
  readonly snapshot: boolean;
  /** Members of `-global` that act, by `driver.property`. */
  readonly globals: KeyValues;
  /** Back-end of the first serial port: `stdio`, `none`, `file:PATH`. */
  readonly serial: string | undefined;
  /** Back-end of the debug port. */
  readonly debugcon: string | undefined;
  /** Files for the firmware. */
  readonly fwCfg: readonly FwCfgSetting[];
  /** `-kernel`, a path. */
  readonly kernel: string | undefined;
  /** `-initrd`, a path. */
  readonly initrd: string | undefined;
  /** `-append`. */
  readonly append: string | undefined;
  /** Members of `-boot` that act. */
  readonly boot: KeyValues;
  /** False by `-no-acpi` and `-machine acpi=off`. */
  readonly acpi: boolean;
  /** Values of `-acpitable`. */
  readonly acpiTables: readonly KeyValues[];
  /** Values of `-smbios`, as lists: some names may come more than once. */
  readonly smbios: readonly string[];
  /** `-uuid`. */
  readonly uuid: string | undefined;
  /** `-rtc base=`, a date. */
  readonly rtcBase: string | undefined;
  /** `-icount shift=`. */
  readonly shift: number | undefined;
  /** `-nographic`: a BIOS shows its texts on COM1. */
  readonly nographic: boolean;
  /** `-no-reboot`. */
  readonly noReboot: boolean;
  /** Options without effect here. */
  readonly ignored: readonly LeftOut[];
  /** Options whose effect is missed here. */
  readonly unmodelled: readonly LeftOut[];
}

type Draft = { -readonly [K in keyof QemuSettings]: QemuSettings[K] };

/** Name of the first member of an option whose value begins without one. */
const IMPLIED: Readonly<Record<string, string>> = {
  '-machine': 'type',
  '-accel': 'accel',
  '-smp': 'cpus',
  '-m': 'size',
  '-fw_cfg': 'name',
  '-boot': 'order',
  '-numa': 'type',
};

/** Options whose members are sorted one by one. */
const BY_MEMBER = new Set([
  '-machine',
  '-accel',
  '-smp',
  '-m',
  '-fw_cfg',
  '-rtc',
  '-icount',
  '-action',
  '-boot',
  '-acpitable',
]);

/** Sorts QEMU's options, each `-option` or `-option=value`. Throws `UsageError` for values that make no sense. */
export function qemuSettings(options: readonly string[]): QemuSettings {
  return new Reader().read(options);
}

class Reader {
  readonly #ignored: LeftOut[] = [];
  readonly #unmodelled: LeftOut[] = [];
  readonly #machine = new Map<string, string>();
  readonly #accel = new Map<string, string>();
  readonly #smp = new Map<string, string>();
  readonly #boot = new Map<string, string>();
  readonly #acpiTables: KeyValues[] = [];
  readonly #smbios: string[] = [];
  readonly #globals = new Map<string, string>();
  readonly #chardevs = new Map<string, KeyValues>();
  readonly #drives: string[] = [];
  readonly #blockdevs: string[] = [];
  readonly #diskDevices: string[] = [];
  readonly #serials: string[] = [];
  readonly #debugcons: string[] = [];
  readonly #fwCfg: FwCfgSetting[] = [];
  readonly #folders: string[] = [];
  readonly #rest: Partial<Draft> = {};
  /** A QEMU whose name ends in `kvm` takes that accelerator where none is named. */
  #defaultAccel: 'kvm' | undefined;

  read(options: readonly string[]): QemuSettings {
    for (const option of options) {
      const [name = '', value] = option.split(/=(.*)/s);
      this.#take(name, value ?? '', value === undefined ? name : `${name} ${value}`);
    }
    const onMachine = [...this.#machine].filter(([key]) => key.startsWith('boot.'));
    if (onMachine.length > 0)
      this.#takeMembers('-boot', joined(onMachine.map(([key, value]) => [key.slice('boot.'.length), value])));
    for (const [key, value] of this.#machine) {
      if (!key.startsWith('smp.') || this.#smp.has(key.slice(4))) continue;
      this.#smp.set(key.slice(4), value);
    }
    if (this.#defaultAccel && !this.#accel.has('accel') && !this.#machine.has('accel')) {
      this.#accel.set('accel', this.#defaultAccel);
    }
    const size = this.#machine.get('memory') ?? this.#machine.get('memory.size');
    const serials = this.#serials.map((back) => this.#backEnd('-serial', back));
    const extra = serials.slice(1).filter((back) => back !== 'none');
    for (const back of extra) {
      this.#unmodelled.push({ text: `-serial ${back}`, note: 'leave it out: only COM1 is connected' });
    }
    return {
      program: undefined,
      cpu: undefined,
      enforce: false,
      memory: size,
      kernel: this.#machine.get('kernel'),
      initrd: this.#machine.get('initrd'),
      append: this.#machine.get('append'),
      acpi: isOn('-machine', 'acpi', this.#machine.get('acpi') ?? 'on'),
      uuid: undefined,
      bios: undefined,
      snapshot: false,
      rtcBase: undefined,
      shift: undefined,
      nographic: false,
      noReboot: false,
      rng: undefined,
      ...this.#rest,
      machine: this.#machine,
      accel: this.#accel,
      smp: this.#smp,
      boot: this.#boot,
      acpiTables: this.#acpiTables,
      smbios: this.#smbios,
      globals: this.#globals,
      drives: this.#flash(),
      disks: diskSettings({ drives: this.#drives, blockdevs: this.#blockdevs, devices: this.#diskDevices }),
      folders: this.#folders,
      serial: serials[0],
      debugcon: this.#debugcons.map((back) => this.#backEnd('-debugcon', back)).at(-1),
      fwCfg: this.#fwCfg,
      ignored: this.#ignored,
      unmodelled: this.#unmodelled,
    };
  }

  /** Takes one option; `text` is how the user would write it. */
  #take(name: string, value: string, text: string): void {
    if (name === PROGRAM) {
      this.#rest.program = value === 'i386' ? 'i386' : 'x86_64';
      this.#defaultAccel = value === 'kvm' ? 'kvm' : undefined;
    } else if (BY_MEMBER.has(name)) this.#takeMembers(name, value);
    else if (name === '-global') this.#takeGlobal(value);
    else if (name === '-cpu') this.#takeCpu(value);
    else if (name === '-device') this.#takeDevice(value, text);
    else if (name === '-drive') this.#takeDrive(value, text);
    else if (name === '-smbios') this.#takeSmbios(value, text);
    else if (name === '-chardev') {
      const values = keyValues(text, value, 'backend');
      this.#chardevs.set(values.get('id') ?? '', values);
    } else if (this.#acts(rowOf(name, kindOf(name, value)), text)) this.#act(name, value);
  }

  #act(name: string, value: string): void {
    const rest = this.#rest;
    switch (name) {
      case '-enable-kvm':
        this.#accel.set('accel', 'kvm');
        break;
      case '-hda':
      case '-hdb':
      case '-hdc':
      case '-hdd':
        this.#drives.push(`if=ide,index=${'abcd'.indexOf(name.at(-1)!)},file=${value.replaceAll(',', ',,')}`);
        break;
      case '-cdrom':
        this.#drives.push(`if=ide,index=2,media=cdrom,file=${value.replaceAll(',', ',,')}`);
        break;
      case '-pflash':
        this.#drives.push(`if=pflash,file=${value.replaceAll(',', ',,')}`);
        break;
      case '-blockdev':
        this.#blockdevs.push(value);
        break;
      case '-bios':
        rest.bios = value;
        break;
      case '-L':
        this.#folders.push(value);
        break;
      case '-snapshot':
        rest.snapshot = true;
        break;
      case '-serial':
        this.#serials.push(value);
        break;
      case '-debugcon':
        this.#debugcons.push(value);
        break;
      case '-kernel':
        rest.kernel = value;
        break;
      case '-initrd':
        rest.initrd = value;
        break;
      case '-append':
        rest.append = value;
        break;
      case '-no-acpi':
        rest.acpi = false;
        break;
      case '-uuid':
        rest.uuid = value;
        break;
      case '-no-reboot':
        rest.noReboot = true;
        break;
      case '-nographic':
        rest.nographic = true;
        break;
      default:
    }
  }

  /** True if an option acts; else it is noted as left out. */
  #acts(row: QemuOption | undefined, text: string): boolean {
    if (row?.class === 'done') return true;
    const note = row?.note ?? 'leave it out';
    (row?.class === 'ignored' ? this.#ignored : this.#unmodelled).push({ text, note });
    return false;
  }

  #takeMembers(name: string, value: string): void {
    const members = keyValues(name, value, IMPLIED[name]);
    const done = new Map<string, string>();
    const first = name === '-accel' && this.#accel.has('accel');
    if (first) return; // QEMU tries the accelerators in order, and the first is there
    for (const [key, member] of members) {
      const written = IMPLIED[name] === key ? `${name} ${member}` : `${name} ${key}=${member}`;
      if (this.#acts(rowOf(name, key, member), written)) done.set(key, member);
    }
    this.#actMembers(name, value, done);
  }

  #actMembers(name: string, value: string, done: KeyValues): void {
    const rest = this.#rest;
    const merge = (into: Map<string, string>): void => {
      for (const [key, member] of done) into.set(key, member);
    };
    switch (name) {
      case '-machine':
        merge(this.#machine);
        break;
      case '-accel':
        merge(this.#accel);
        break;
      case '-smp':
        merge(this.#smp);
        break;
      case '-boot':
        merge(this.#boot);
        break;
      case '-acpitable':
        if (done.size > 0) this.#acpiTables.push(done);
        break;
      case '-m':
        rest.memory = done.get('size') ?? rest.memory;
        break;
      case '-rtc':
        rest.rtcBase = done.get('base') ?? rest.rtcBase;
        break;
      case '-icount':
        if (done.has('shift')) rest.shift = wholeNumber('-icount shift=', done.get('shift')!);
        break;
      case '-action':
        rest.noReboot = rest.noReboot === true || done.has('reboot');
        break;
      case '-fw_cfg':
        this.#takeFwCfg(value, done);
        break;
      default:
        throw new Error(`${name} is sorted by members and not acted on`);
    }
  }

  /** Members stay as they are written: `+FEATURE` and `-FEATURE` have no value. */
  #takeCpu(value: string): void {
    const [model = '', ...members] = value.split(',');
    const acting = members.filter((member) => {
      const [key = '', given = 'on'] = member.split('=');
      return this.#acts(rowOf('-cpu', key, given), `-cpu ${member}`);
    });
    this.#rest.enforce = acting.some((member) => /^enforce(=on)?$/.test(member));
    this.#rest.cpu = [model, ...acting.filter((member) => !/^enforce(=|$)/.test(member))].join(',');
  }

  #takeFwCfg(value: string, members: KeyValues): void {
    const [name, string, file] = ['name', 'string', 'file'].map((key) => members.get(key));
    if (name === undefined || (string === undefined) === (file === undefined)) {
      throw new UsageError(
        `-fw_cfg ${value}: a name and either a string or a file are needed`,
        'Write -fw_cfg name=opt/org.example/x,string=TEXT or -fw_cfg name=opt/org.example/x,file=PATH.',
      );
    }
    this.#fwCfg.push({ name, content: string === undefined ? { path: file! } : { text: string } });
  }

  /** `driver.property=value`, or the long form with `driver=,property=,value=`. */
  #takeGlobal(text: string): void {
    const short = /^([^.=,]+(?:-\d+\.\d+[^.=,]*)?)\.([^=,]+)=(.*)$/s.exec(text);
    const long = short === null ? keyValues('-global', text) : undefined;
    const [driver, property, value] =
      long === undefined
        ? [short?.[1], short?.[2], short?.[3]]
        : [long.get('driver'), long.get('property'), long.get('value')];
    if (driver === undefined || property === undefined || value === undefined) {
      throw new UsageError(
        `-global ${text} names no property`,
        'Write -global DRIVER.PROPERTY=VALUE, such as -global ICH9-LPC.disable_s3=1.',
      );
    }
    const name = `${driver}.${property}`;
    if (this.#acts(rowOf('-global', name, value), `-global ${name}=${value}`)) this.#globals.set(name, value);
  }

  #takeDevice(value: string, text: string): void {
    const members = keyValues('-device', value, 'driver');
    const driver = members.get('driver') ?? '';
    if (!this.#acts(rowOf('-device', driver), text)) return;
    if (RNG_DRIVERS.includes(driver)) {
      if (this.#rest.rng !== undefined)
        throw new UsageError(`${text}: there is one already`, 'Leave one out.');
      const slot = slotOf(text, members.get('addr'));
      this.#rest.rng = slot === undefined ? {} : { slot };
      return;
    }
    if (DISK_DRIVERS.includes(driver)) {
      this.#diskDevices.push(value);
      return;
    }
    const back = `chardev:${members.get('chardev') ?? ''}`;
    if (driver === 'isa-serial') this.#serials.push(back);
    else {
      this.#debugcons.push(back);
      const base = members.get('iobase');
      if (base !== undefined) this.#takeGlobal(`isa-debugcon.iobase=${base}`);
    }
  }

  /** Sorted by its type; or there is a file of structures in its place. */
  #takeSmbios(value: string, text: string): void {
    const members = keyValues('-smbios', value);
    const type = members.get('type');
    const row = type === undefined ? rowOf('-smbios', 'file') : rowOf('-smbios', 'type', type);
    if (this.#acts(row, text)) this.#smbios.push(value);
  }

  #takeDrive(value: string, text: string): void {
    const kind = keyValues('-drive', value, 'file').get('if') ?? 'ide';
    if (this.#acts(rowOf('-drive', 'if', kind), text)) this.#drives.push(value);
  }

  /** `chardev:ID` is what the character device is. */
  #backEnd(option: string, text: string): string {
    const plain = text.replace(/^mon:/, '');
    if (plain === 'null') return 'none';
    if (!plain.startsWith('chardev:')) return plain;
    const id = plain.slice('chardev:'.length);
    const values = this.#chardevs.get(id);
    const kind = values?.get('backend');
    if (kind === undefined) {
      throw new UsageError(`${option} chardev:${id}: there is no -chardev with id=${id}`, 'Give one.');
    }
    if (kind === 'null') return 'none';
    if (kind === 'file') return `file:${values?.get('path') ?? ''}`;
    if (kind === 'stdio') return kind;
    const note = 'use stdio, null or file,path=FILE';
    this.#unmodelled.push({ text: `-chardev ${kind},id=${id} for ${option}`, note });
    return 'none';
  }

  #flash(): PflashDrive[] {
    const machine = new Map<number, string>();
    for (const unit of [0, 1]) {
      const id = this.#machine.get(`pflash${unit}`);
      if (id !== undefined) machine.set(unit, id);
    }
    const named = new Set([...machine.values(), ...drivesUsed({ devices: this.#diskDevices })]);
    for (const text of this.#drives) {
      const values = keyValues('-drive', text, 'file');
      if (values.get('if') === 'none' && !named.has(values.get('id') ?? '')) {
        this.#ignored.push({ text: `-drive ${text}`, note: 'no device here uses it' });
      }
    }
    return flashDrives({ drives: this.#drives, blockdevs: this.#blockdevs, machine });
  }
}

/** The word by which an option with one value is sorted: `-vga none`, `-object memory-backend-ram,...`. */
function kindOf(name: string, value: string): string {
  if (name === '-object') return keyValues(name, value, 'qom-type').get('qom-type') ?? '';
  return value.split(',')[0]!;
}

/** `-accel` and `-machine` as the parsers of every subcommand take them: one accelerator, the first of a list. */
export function acceleratorWords({ machine, accel }: QemuSettings): { accel?: string; machine?: string } {
  const first = (list: string | undefined): string | undefined => {
    const names = list?.split(':') ?? [];
    return names.find((name) => name === 'tcg' || name === 'kvm') ?? names[0];
  };
  const name = first(accel.get('accel'));
  const other = first(machine.get('accel'));
  if (name !== undefined && other !== undefined && name !== other) {
    throw new UsageError(
      `-accel ${name} and -machine accel=${other} name two accelerators`,
      'Name one, by -accel.',
    );
  }
  const chosen = name ?? other;
  const own = [...accel].filter(([key]) => key !== 'accel');
  const onMachine = [...machine].filter(([key]) => /^(type|kernel.irqchip)$/.test(key));
  return {
    ...(chosen !== undefined && { accel: [chosen, joined(own)].filter((part) => part !== '').join(',') }),
    ...(onMachine.length > 0 && { machine: joined(onMachine) }),
  };
}

/** A switch among the globals. */
export function globalSwitch({ globals }: QemuSettings, name: string): boolean | undefined {
  const found = [...globals].find(([key]) => key.toLowerCase() === name.toLowerCase());
  return found && isOn('-global', name, found[1]);
}
