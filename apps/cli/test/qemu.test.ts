/** QEMU's command lines, as people paste them: what each asks for, without booting anything. */
import { describe, expect, it } from 'vitest';
import type { BootHost } from '../src/boot/host.ts';
import { type BootRequest, bootRequest } from '../src/boot/request.ts';
import type { Io } from '../src/io.ts';
import { bootIfQemu, sortArguments } from '../src/qemu/command-line.ts';
import { joined, keyValues } from '../src/qemu/keyval.ts';
import { QEMU_OPTIONS, rowOf } from '../src/qemu/table.ts';
import { apicIds, smpTopology } from '../src/qemu/topology.ts';
import { PASTED } from './pasted.ts';
import { cli } from './support.ts';

const OWN = new Map([
  ['--firmware', true],
  ['--until', true],
  ['--trace', true],
  ['--vars', true],
  ['--json', false],
  ['-h', false],
]);

/** Splits as a shell does: at blanks, single quotes keep a word together. */
function words(line: string): string[] {
  return (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
}

/** The request behind a line; every file is there and holds 4 KiB. */
function asked(line: string): BootRequest & { readonly written: readonly string[] } {
  const written: string[] = [];
  const io = {
    env: {},
    out: () => undefined,
    err: () => undefined,
    readFile: () => new Uint8Array(4096),
    claim: (_what: string, path: string) => {
      written.push(path);
      return { replace: () => undefined, append: () => undefined, release: () => undefined };
    },
  } as unknown as Io;
  const host = {
    home: '/h',
    exists: () => true,
    realPath: (path: string) => path,
    listFolder: () => [],
  } as unknown as BootHost;
  const [, ...args] = bootIfQemu(words(line.replace(/^smm boot/, 'boot')));
  const { own, qemu } = sortArguments(args, OWN);
  const value = (name: string): string | undefined => own[own.indexOf(name) + 1 || own.length];
  const firmware = value('--firmware');
  const request = bootRequest(
    {
      qemu,
      ...(firmware !== undefined && { code: `${firmware}-CODE.fd`, vars: `${firmware}-VARS.fd` }),
    },
    io,
    host,
  );
  return Object.assign(request, { written });
}

const FLASH = '-drive if=pflash,format=raw,readonly=on,file=C -drive if=pflash,format=raw,file=V';

describe('the pasted lines', () => {
  it('1: KVM, 1 GiB, secure flash, no S3', () => {
    const { machine, files, qemu } = asked(PASTED[0]!);
    expect(machine).toMatchObject({ accelerator: 'kvm', cpus: 2, memoryMiB: 1024, secureFlash: true });
    expect(machine.sleepStates).toEqual({ s3: false, s4: true });
    expect(files).toEqual({ code: 'CODE.fd', vars: 'VARS.fd' });
    expect(qemu.ignored).toEqual([]);
  });

  it('2: -pflash twice, a debug log', () => {
    const { machine, files, written, qemu } = asked(PASTED[1]!);
    expect(machine).toMatchObject({ accelerator: 'kvm', cpus: 1, memoryMiB: 128, secureFlash: false });
    expect(files).toEqual({ code: 'CODE.fd', vars: 'VARS.fd' });
    expect(written).toEqual(['debug.log', 'VARS.fd']);
    expect(qemu.ignored.map(({ text }) => text)).toEqual(['-nodefaults', '-display none']);
  });

  it("3: libvirt's long forms", () => {
    const { machine, files, written, qemu } = asked(PASTED[2]!);
    expect(machine).toMatchObject({ accelerator: 'kvm', cpus: 4, memoryMiB: 2048 });
    expect(machine.topology).toEqual({ apicIds: [0, 1, 2, 3, 4, 5, 6, 7], perPackage: 4, perCore: 1 });
    expect(machine.sleepStates).toEqual({ s3: true, s4: false });
    expect(files).toEqual({ code: 'CODE.fd', vars: 'VARS.fd' });
    expect(written).toEqual(['VARS.fd']);
    expect(qemu.unmodelled).toEqual([]);
    expect(qemu.ignored.map(({ text }) => text)).toContain('-machine usb=off');
  });

  it('4: the first accelerator of a list that is there, units by order', () => {
    const { machine, files, serial, noReboot } = asked(PASTED[3]!);
    expect(machine).toMatchObject({ accelerator: 'kvm', memoryMiB: 128 });
    expect(files).toEqual({ code: 'CODE.fd', vars: 'VARS.fd' });
    expect([serial, noReboot]).toEqual(['stdio', true]);
  });

  it('5: the 32-bit program', () => {
    const { machine } = asked(PASTED[4]!);
    expect(machine).toMatchObject({ bitness: 32, cpu: 'coreduo,-nx', memoryMiB: 128 });
    expect(machine.fwCfgFiles).toEqual([{ name: 'opt/org.example/x', data: Uint8Array.of(0x79) }]);
  });

  it('6: a topology, a machine type of a distribution', () => {
    const { machine } = asked(PASTED[5]!);
    expect(machine).toMatchObject({ cpus: 4, memoryMiB: 256, secureFlash: true });
    expect(machine.topology).toMatchObject({ perPackage: 2, perCore: 1 });
  });

  it('7: a whole image', () => {
    expect(asked(PASTED[6]!).files).toEqual({ code: 'OVMF.fd', vars: undefined });
  });
});

/** Lines behind `qemu-system-x86_64 FLASH`, each with a part of the machine that comes of it. */
const MACHINES: readonly (readonly [string, Partial<BootRequest['machine']>])[] = [
  ['', { cpus: 1, memoryMiB: 128, accelerator: 'tcg', secureFlash: false }],
  ['-machine q35 -machine accel=kvm', { accelerator: 'kvm' }],
  ['--machine=q35 --accel=tcg,thread=multi', { accelerator: 'tcg' }],
  [
    '-M type=pc-q35-jammy,kernel-irqchip=off -enable-kvm',
    { accelerator: 'kvm', kvm: { kernelIrqchip: false } },
  ],
  ['-accel whpx:kvm', { accelerator: 'kvm' }],
  ['-accel kvm -accel tcg', { accelerator: 'kvm' }],
  ['-machine accel=kvm -enable-kvm', { accelerator: 'kvm' }],
  ['-m 2G', { memoryMiB: 2048 }],
  ['-m size=1.5G,slots=2,maxmem=4G', { memoryMiB: 1536 }],
  ['-m 524288k', { memoryMiB: 512 }],
  ['-m 512 -m slots=3,maxmem=1G', { memoryMiB: 512 }],
  ['-machine memory.size=1G', { memoryMiB: 1024 }],
  ['-smp 2 -smp maxcpus=4', { cpus: 2, topology: { apicIds: [0, 1, 2, 3], perPackage: 4, perCore: 1 } }],
  ['-machine smp.cpus=3', { cpus: 3 }],
  ['-machine pc-q35-6.1 -smp 2', { topology: { apicIds: [0, 1], perPackage: 1, perCore: 1 } }],
  [
    '-smp 8,dies=2,cores=2,threads=2',
    { cpus: 8, topology: { apicIds: [0, 1, 2, 3, 4, 5, 6, 7], perPackage: 8, perCore: 2, dies: 2 } },
  ],
  [
    '-smp sockets=2,cores=3',
    { cpus: 6, topology: { apicIds: [0, 1, 2, 4, 5, 6], perPackage: 3, perCore: 1 } },
  ],
  [
    '-rtc base=2026-01-31T12:30:00,clock=vm',
    { startTime: { year: 2026, month: 1, day: 31, hour: 12, minute: 30, second: 0 } },
  ],
  ['-rtc base=2026-01-31', { startTime: { year: 2026, month: 1, day: 31, hour: 0, minute: 0, second: 0 } }],
  ['-global mch.extended-tseg-mbytes=48', { extTsegMb: 48 }],
  ['-global driver=ICH9-LPC,property=disable_s3,value=on', { sleepStates: { s3: false, s4: true } }],
  ['-icount shift=6,sleep=off', { nsPerInstruction: 64 }],
  ['-machine i8042=off', { keyboard: false }],
  ['-cpu coreduo -cpu qemu64,-nx', { cpu: 'qemu64,-nx' }],
  ['-fw_cfg opt/a,string=x,,y', { fwCfgFiles: [{ name: 'opt/a', data: new TextEncoder().encode('x,y') }] }],
  ['-object memory-backend-ram,id=m,size=1G -machine memory-backend=m -numa node,memdev=m', {}],
];

it.each(MACHINES)('%s', (line, part) => {
  expect(asked(`qemu-system-x86_64 ${FLASH} ${line}`).machine).toMatchObject(part);
});

/** Flash in many forms: the line, the code, the variables, and what is written. */
const FLASHES: readonly (readonly [string, string, string, readonly string[]])[] = [
  ['-drive file=C,if=pflash,readonly -drive file=V,if=pflash', 'C', 'V', ['V']],
  ['-drive if=pflash,unit=1,file=V -drive if=pflash,file=C', 'C', 'V', ['V']],
  ['-drive if=pflash,file=C -drive if=pflash,file=V,read-only=yes', 'C', 'V', []],
  [
    '-drive if=none,id=c,format=raw,file=C,readonly=on -drive if=none,id=v,file=V -machine q35,pflash0=c,pflash1=v',
    'C',
    'V',
    ['V'],
  ],
  [
    '-blockdev driver=file,filename=a,,b,node-name=c -blockdev node-name=v,driver=raw,file.driver=file,file.filename=V -machine pflash0=c,pflash1=v',
    'a,b',
    'V',
    ['V'],
  ],
  [
    `-blockdev '{"driver":"raw","node-name":"v","read-only":false,"file":{"driver":"file","filename":"V"}}' -pflash C -machine pflash1=v`,
    'C',
    'V',
    ['V'],
  ],
  ['-pflash C -pflash V -snapshot', 'C', 'V', []],
];

it.each(FLASHES)('%s', (line, code, vars, written) => {
  const request = asked(`/usr/bin/qemu-system-x86_64 ${line}`);
  expect(request.files).toEqual({ code, vars });
  expect(request.written).toEqual(written);
});

it('-kernel, -initrd and -append are read, and -boot says how the firmware asks', () => {
  const boot = 'menu=on,splash-time=5000,reboot-timeout=7,strict=on';
  const line = `-kernel vmlinuz -initrd initrd.gz -append 'console=ttyS0 a,b' -boot ${boot} -boot d`;
  const { machine, qemu } = asked(`qemu-system-x86_64 ${FLASH} ${line}`);
  const file = new Uint8Array(4096);
  expect(machine.kernel).toEqual({ image: file, initrd: file, commandLine: 'console=ttyS0 a,b' });
  expect(machine.boot).toEqual({ menu: true, menuWaitMs: 5000, failWaitMs: 7, strict: true });
  expect(qemu.ignored.map(({ text }) => text)).toEqual(['-boot d']);
});

it('-machine takes the same words', () => {
  const line = '-machine q35,kernel=k,initrd=i,append=quiet,boot.menu=on,boot.reboot-timeout=-1';
  const { machine } = asked(`qemu-system-x86_64 ${FLASH} ${line}`);
  expect(machine.kernel?.commandLine).toBe('quiet');
  expect(machine.kernel?.initrd).toBeDefined();
  expect(machine.boot).toEqual({ menu: true });
  expect(asked(`qemu-system-x86_64 ${FLASH}`).machine.kernel).toBeUndefined();
});

it('-smbios, -uuid and -acpitable say what tables say, -no-acpi that there are none', () => {
  const line =
    '-uuid 01020304-0506-0708-090a-0b0c0d0e0f10 -smbios type=1,serial=S -smbios type=0,release=1.2,uefi=on,vendor=a,,b ' +
    '-smbios type=4,max-speed=3000 -smbios type=17,speed=800 -smbios type=11,value=x,value=y -acpitable sig=ABCD,rev=2,data=d';
  const { machine } = asked(`qemu-system-x86_64 ${FLASH} ${line}`);
  expect(machine.smbios).toEqual({
    system: { uuid: '01020304-0506-0708-090a-0b0c0d0e0f10', serial: 'S' },
    bios: { vendor: 'a,b', release: [1, 2], uefi: true },
    processor: { maxSpeed: 3000 },
    memory: { speed: 800 },
    oemStrings: ['x', 'y'],
  });
  const [table] = machine.acpiTables!;
  expect(table).toHaveLength(36 + 4096);
  expect([...table!.subarray(0, 9)]).toEqual([...new TextEncoder().encode('ABCD'), 0x24, 0x10, 0, 0, 2]);
  expect(machine.acpi).toBeUndefined();
  for (const off of ['-no-acpi', '-machine acpi=off'])
    expect(asked(`qemu-system-x86_64 ${FLASH} ${off}`).machine.acpi).toBe(false);
});

/** Lines that are refused, with what is said. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  [
    '-machine q35 -netdev user,id=n -device virtio-net-pci,netdev=n -vga std',
    /^3 options matter and are not modelled: -netdev user,id=n \(.*no network\); -device virtio-net-pci,netdev=n \(.*\); -vga std \(.*-display none/,
  ],
  ['-machine pc', /one option matters and is not modelled: -machine pc \(use -machine q35/],
  ['-machine smm=off', /-machine smm=off/],
  ['-fda disk.img', /-fda disk.img \(leave it out: there are SATA and virtio disks\)/],
  ['-drive if=floppy,file=disk.img', /-drive if=floppy,file=disk.img \(use if=none, ide, virtio or pflash\)/],
  ['-global isa-debugcon.iobase=0xe9', /use iobase=0x402: OVMF writes there/],
  ['-global ICH9-LPC.foo=1', /-global ICH9-LPC.foo=1/],
  ['-global nonsense', /names no property.*/],
  ['-accel kvm -machine accel=tcg', /-accel kvm and -machine accel=tcg name two accelerators/],
  ['-accel xen', /-accel xen/],
  ['-smp 4,sockets=3', /3 sockets \* 1 dies \* 1 cores/],
  ['-smp 4,maxcpus=2', /.*2 CPUs|less than 4/],
  ['-smp 2,cores=0', /cores is 0/],
  ['-m 1000k', /not a whole number of MiB/],
  ['-rtc base=2026-02-30', /is not a date/],
  ['-rtc base=tomorrow', /-rtc base=tomorrow/],
  ['-fw_cfg name=x', /a name and either a string or a file/],
  ['-serial tcp::4444', /-serial tcp::4444 is not known here/],
  ['-serial chardev:x', /no -chardev with id=x/],
  ['-serial stdio -serial file:x', /-serial file:x \(.*only COM1/],
  ['-machine pflash0=x', /no such node/],
  [`-blockdev '{"driver":'`, /-blockdev \{"driver":: .*JSON/],
  ['-drive if=pflash,format=vmdk,unit=1,file=x', /vmdk images are not known here/],
  ['-smbios type=3,colour=red', /type 3 has no colour/],
  ['-smbios type=9', /-smbios type=9 \(use types 0, 1, 2/],
  ['-smbios file=x', /-smbios file=x \(use types/],
  ['-smbios type=0,release=1', /release=1 is no release/],
  ['-uuid 1', /1 is not a UUID/],
  ['-acpitable sig=ABC,data=d', /sig=ABC has not 4 characters/],
  ['-acpitable sig=ABCD', /wants file= or data=/],
  ['-initrd i', /-initrd i is for a kernel, and none is given/],
  ['-append a', /-append a is for a kernel, and none is given/],
  ['-kernel k -dtb d', /-dtb d \(leave it out: kernels for PCs .* not by a device tree\)/],
  ['-boot splash-time=70000', /-boot splash-time=70000 is too long/],
  ['-boot menu=maybe', /-boot: menu=maybe is neither on nor off/],
  ['-boot colour=red', /-boot colour=red \(use menu,/],
  ['-smpp 2', /^unknown option '-smpp'/],
  ['-no-rebot', /^unknown option '-no-rebot'/],
  ['-m', /wants a value/],
];

it.each(REFUSED)('%s is refused', (line, message) => {
  expect(() => asked(`qemu-system-x86_64 ${FLASH} ${line}`)).toThrow(message);
});

it.each([
  ['-smpp', 'smp'],
  ['--no-rebot', 'no-reboot'],
  ['-drvie', 'drive'],
  ['-nograpic', 'nographic'],
  ['-firmwre', 'firmware'],
])("%s: the suggestion is %s, of QEMU's words or ours", (typed, meant) => {
  try {
    sortArguments([typed, 'x'], OWN);
    expect.unreachable();
  } catch (error) {
    expect((error as { fix: string }).fix).toContain(`Did you mean -${meant}?`);
  }
});

it('-trace is of QEMU where it names tracepoints, of ours where it names a file', () => {
  expect(sortArguments(['-trace', 'enable=kvm_*'], OWN)).toEqual({ own: [], qemu: ['-trace=enable=kvm_*'] });
  expect(sortArguments(['-trace', 'a.dat'], OWN)).toEqual({ own: ['--trace', 'a.dat'], qemu: [] });
});

describe('key=value', () => {
  it.each([
    ['a=1,b', 'x', { a: '1', b: 'on' }],
    ['v,a=1', 'x', { x: 'v', a: '1' }],
    ['v,,w,a=b=c', 'x', { x: 'v,w', a: 'b=c' }],
    ['a=,,,b=2', 'x', { a: ',', b: '2' }],
    ['a=1,a=2', 'x', { a: '2' }],
    ['a.b.c=1,', 'x', { 'a.b.c': '1' }],
    ['{"a":{"b":true,"c":[1,"x"]},"d":null}', 'x', { 'a.b': 'on', 'a.c.0': '1', 'a.c.1': 'x' }],
    ['', 'x', {}],
  ] as const)('%j', (text, implied, wanted) => {
    expect(Object.fromEntries(keyValues('-o', text, implied))).toEqual(wanted);
  });

  it('written again is read as it was', () => {
    const values = new Map([
      ['a', 'x,y,,z='],
      ['b', ''],
    ]);
    expect(keyValues('-o', joined(values))).toEqual(values);
  });
});

/** APIC ids and counts as `info hotpluggable-cpus` and CPUID of QEMU 7.2 show them. */
describe('topology', () => {
  const of = (text: string) => smpTopology(keyValues('-smp', text, 'cpus'));

  it.each([
    ['4,sockets=2,cores=2', [0, 1, 2, 3]],
    ['6,sockets=2,cores=3', [0, 1, 2, 4, 5, 6]],
    ['6,cores=3,threads=2', [0, 1, 2, 3, 4, 5]],
    ['6,cores=2,threads=3', [0, 1, 2, 4, 5, 6]],
    ['12,sockets=2,dies=2,cores=3', [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]],
  ])('-smp %s', (text, ids) => {
    const topology = of(text);
    expect(apicIds(topology, topology.cpus)).toEqual(ids);
  });

  it.each([
    ['4', { sockets: 1, cores: 4, threads: 1 }],
    ['8,sockets=2', { sockets: 2, cores: 4, threads: 1 }],
    ['8,threads=2', { sockets: 1, cores: 4, threads: 2 }],
    ['8,cores=2', { sockets: 4, cores: 2, threads: 1 }],
    ['2,maxcpus=8', { cpus: 2, maxCpus: 8, cores: 8 }],
    ['cores=4', { cpus: 4, maxCpus: 4, sockets: 1 }],
  ])('-smp %s', (text, wanted) => {
    expect(of(text)).toMatchObject(wanted);
  });
});

describe('the table', () => {
  it('has no row twice, and each row is reached by its own words', () => {
    expect(new Set(QEMU_OPTIONS.map(({ words }) => words)).size).toBe(QEMU_OPTIONS.length);
    for (const row of QEMU_OPTIONS) {
      const [name = '', what = ''] = row.words.split(/ (.*)/);
      const [key, value] = what
        .replaceAll(/\[(.)[^\]]*\]|\*/g, '$1')
        .split('|')[0]!
        .split('=');
      const members = what === '' || what === '...' ? [] : [key!, ...(value === undefined ? [] : [value])];
      expect(rowOf(name, ...(members as [string, string])), row.words).toBe(row);
    }
  });

  it('is what --options prints', async () => {
    const { out, code } = await cli('boot --options');
    expect(code).toBe(0);
    for (const { words, note } of QEMU_OPTIONS)
      expect(out).toMatch(new RegExp(`^ +${escaped(words)} +${escaped(note)}`, 'm'));
  });

  const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
});

it('a line that cannot be run exits 2 with everything that is wrong', async () => {
  const { err, code } = await cli(`qemu-system-x86_64 -machine q35 ${FLASH} -fda x -sd y`);
  expect(err).toMatch(/^smm: 2 options matter .*-fda x.*-sd y.*\n$/);
  expect(code).toBe(2);
});

it('-cpu help lists the models', async () => {
  const { out, code } = await cli('qemu-system-x86_64 -cpu help');
  expect(out).toContain('coreduo');
  expect(code).toBe(0);
});
