/**
 * The options of QEMU, and what becomes of each here: the one table that the command line is sorted by and `smm boot
 * --options` prints. Names are those of QEMU 7.2 to 9.2 ("qemu-system-x86_64 --help", "-machine q35,help").
 */

/** What becomes of an option: it acts, it is left out because nothing here depends on it, or the run is refused. */
export type OptionClass = 'done' | 'ignored' | 'unmodelled';

/** One row. */
export interface QemuOption {
  /**
   * `-flag`; `-option ...` with any value; `-option key` or `-option key=value|value` for members of the value, where
   * `*` stands for any characters. The first row that fits counts.
   */
  readonly words: string;
  /** What becomes of it. */
  readonly class: OptionClass;
  /** What it does here, why it can be left out, or what to do instead. */
  readonly note: string;
}

const rows = (kind: OptionClass, note: string, ...words: string[]): QemuOption[] =>
  words.map((each) => ({ words: each, class: kind, note }));

const NO_DISK = 'leave it out: there are SATA and virtio disks';
const NO_NETWORK = 'leave it out, or write -nic none: there is no network';
const NO_DISPLAY = 'leave it out, or write -display none: there is no display';
const NO_DEVICE = 'leave it out: there is no such device';
const WINDOW = 'there is no display to show';
const NOT_USED = 'no device here uses it';
const PROCESS = "it is about QEMU's own process";
const MONITOR = 'there is no monitor';
const NO_DEVICE_TREE =
  'leave it out: kernels for PCs are told of their devices by ACPI tables, not by a device tree';

/** All rows. */
export const QEMU_OPTIONS: readonly QemuOption[] = [
  // The machine.
  ...rows('done', 'q35 of any version', '-machine type=q35|pc-q35-*'),
  ...rows('unmodelled', 'use -machine q35: SMM with TSEG needs its chipset', '-machine type'),
  ...rows('done', 'tcg or kvm; the first of a list', '-machine accel'),
  ...rows('done', 'there is SMM always', '-machine smm=on|auto|yes|true|1'),
  ...rows('unmodelled', 'leave it out: there is SMM always', '-machine smm'),
  ...rows(
    'unmodelled',
    'use kernel_irqchip=on or off',
    '-machine kernel[_-]irqchip=split',
    '-accel kernel[_-]irqchip=split',
  ),
  ...rows(
    'done',
    'of KVM: where the interrupt controllers are',
    '-machine kernel_irqchip',
    '-machine kernel-irqchip',
  ),
  ...rows(
    'done',
    'the -blockdev or -drive that is the code, the variables',
    '-machine pflash0',
    '-machine pflash1',
  ),
  ...rows('done', 'as -smp', '-machine smp.*'),
  ...rows('done', 'as -m', '-machine memory', '-machine memory.*'),
  ...rows('done', 'whether there is a keyboard controller', '-machine i8042'),
  ...rows('ignored', 'there are none', '-machine usb=off|no|false|0', '-machine sata=off|no|false|0'),
  ...rows('ignored', 'there are none', '-machine smbus=off|no|false|0', '-machine graphics=off|no|false|0'),
  ...rows('ignored', 'a timer that firmware does not use is there all the same', '-machine hpet'),
  ...rows('done', 'whether firmware gets ACPI tables', '-machine acpi'),
  ...rows('ignored', 'nothing but names', '-machine x-oem-id', '-machine x-oem-table-id'),
  ...rows('ignored', 'it is about the memory of the host', '-machine dump-guest-core', '-machine mem-merge'),
  ...rows('ignored', 'it is about the memory of the host', '-machine memory-backend'),
  ...rows('ignored', 'there is no such port', '-machine vmport'),
  ...rows('ignored', 'there is no migration', '-machine suppress-vmdesc'),
  ...rows('ignored', NOT_USED, '-machine nvdimm=off', '-machine igd-passthru=off', '-machine graphics=on'),
  ...rows('done', 'as -boot', '-machine boot.*'),
  ...rows('ignored', NOT_USED, '-machine smbios-entry-point-type'),
  ...rows('ignored', NOT_USED, '-machine default-bus-bypass-iommu', '-machine hmat=off', '-machine cxl=off'),
  ...rows('done', 'as -kernel, -initrd, -append', '-machine kernel', '-machine initrd', '-machine append'),
  ...rows('unmodelled', NO_DEVICE_TREE, '-machine dtb'),
  ...rows('unmodelled', 'leave it out', '-machine *'),
  ...rows('done', 'tcg or kvm', '-accel accel'),
  ...rows('done', 'of KVM', '-accel ept', '-accel flexpriority', '-accel unrestricted_guest'),
  ...rows('done', 'of KVM', '-accel kernel_irqchip', '-accel kernel-irqchip'),
  ...rows('ignored', 'how fast QEMU is', '-accel thread', '-accel tb-size', '-accel one-insn-per-tb'),
  ...rows(
    'ignored',
    'how fast QEMU is',
    '-accel split-wx',
    '-accel dirty-ring-size',
    '-accel honor-guest-pat',
  ),
  ...rows('ignored', 'how fast QEMU is', '-accel notify-vmexit', '-accel notify-window'),
  ...rows('unmodelled', 'use ept, flexpriority, unrestricted_guest or kernel_irqchip', '-accel *'),
  ...rows('done', '-accel kvm', '-enable-kvm'),
  ...rows(
    'done',
    'CPUs and how they lie in sockets',
    '-smp cpus',
    '-smp maxcpus',
    '-smp sockets',
    '-smp dies',
  ),
  ...rows('done', 'CPUs and how they lie in sockets', '-smp cores', '-smp threads'),
  ...rows('ignored', 'one is meant', '-smp clusters=1', '-smp modules=1', '-smp books=1', '-smp drawers=1'),
  ...rows('unmodelled', 'use sockets, dies, cores and threads', '-smp *'),
  ...rows('done', 'guest memory', '-m size'),
  ...rows('ignored', 'no memory is plugged in later', '-m slots', '-m maxmem'),
  ...rows('unmodelled', 'write -m size=SIZE', '-m *'),
  ...rows('done', 'QEMU 7.2 has it, or NAME-vN, max, host; -cpu help lists them', '-cpu model'),
  ...rows('done', 'a feature that is not there is an error', '-cpu enforce'),
  ...rows('ignored', 'it is about the host', '-cpu check', '-cpu migratable', '-cpu host-phys-bits*'),
  ...rows('ignored', 'it is about the host', '-cpu host-cache-info', '-cpu kvm', '-cpu kvm-*', '-cpu pmu'),
  ...rows(
    'ignored',
    'firmware does not use it',
    '-cpu hv*',
    '-cpu l3-cache',
    '-cpu tsc-frequency',
    '-cpu vmx-*',
  ),
  ...rows('done', '+FEATURE, -FEATURE, FEATURE=on|off, level=, phys-bits= and the like', '-cpu *'),
  // Flash and variables.
  ...rows('done', 'flash; unit 0 is the code, 1 the variables', '-drive if=pflash', '-pflash ...'),
  ...rows(
    'done',
    'an image for -machine pflash0=, pflash1= or -device; else nobody uses it',
    '-drive if=none',
  ),
  ...rows('done', 'a SATA disk, or with media=cdrom a CD drive', '-drive if=ide'),
  ...rows('done', 'a virtio disk', '-drive if=virtio'),
  ...rows('unmodelled', 'use if=none, ide, virtio or pflash', '-drive ...'),
  ...rows(
    'done',
    'a SATA disk on port 0 to 3, a CD drive on port 2',
    '-hda ...',
    '-hdb ...',
    '-hdc ...',
    '-hdd ...',
    '-cdrom ...',
  ),
  ...rows('done', 'files that -machine pflash0=, pflash1= or -device name', '-blockdev ...'),
  ...rows('done', 'a whole flash image as ROM: variables are not kept', '-bios ...'),
  ...rows('done', 'folder in which -bios is looked for too', '-L ...'),
  ...rows('done', 'variables and disks are written nowhere', '-snapshot'),
  ...rows('done', 'flash can be written in SMM alone', '-global cfi.pflash01.secure'),
  ...rows('done', 'no suspend to memory, no suspend to disk', '-global ICH9-LPC.disable_s[34]'),
  ...rows('done', 'size of the extended TSEG in MiB; 0: none', '-global mch.extended-tseg-mbytes'),
  ...rows('done', 'where the debug port is', '-global isa-debugcon.iobase=0x402|1026'),
  ...rows('unmodelled', 'use iobase=0x402: OVMF writes there', '-global isa-debugcon.iobase'),
  ...rows(
    'ignored',
    'no tick is ever lost',
    '-global kvm-pit.lost_tick_policy',
    '-global mc146818rtc.lost_tick_policy',
  ),
  ...rows('ignored', 'nothing is plugged in', '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support'),
  ...rows('unmodelled', 'leave it out', '-global ICH9-LPC.*', '-global mch.*', '-global cfi.pflash01.*'),
  ...rows(
    'unmodelled',
    'leave it out',
    '-global isa-debugcon.*',
    '-global mc146818rtc.*',
    '-global fw_cfg*.*',
  ),
  ...rows('unmodelled', 'leave it out, or name the feature behind -cpu', '-global *-cpu.*'),
  ...rows('ignored', 'there is no such device', '-global *'),
  // Ports and files.
  ...rows('done', 'output of the debug port 402h: file:PATH, stdio or null', '-debugcon ...'),
  ...rows('done', 'COM1: stdio, mon:stdio, none, null, file:PATH or chardev:ID', '-serial ...'),
  ...rows('done', 'where a device of ours prints: file, stdio or null', '-chardev ...'),
  ...rows('done', 'COM1 is the terminal, for the texts of a BIOS too', '-nographic'),
  ...rows('done', 'the debug port', '-device isa-debugcon'),
  ...rows('done', 'COM1', '-device isa-serial'),
  ...rows('done', 'a SATA disk or CD drive', '-device ide-hd', '-device ide-cd'),
  ...rows('done', 'a virtio disk', '-device virtio-blk-pci', '-device virtio-blk'),
  ...rows('done', 'entropy, the same in every run', '-device virtio-rng-pci', '-device virtio-rng'),
  ...rows('unmodelled', NO_DEVICE, '-device ...'),
  ...rows('done', 'a file for the firmware', '-fw_cfg name', '-fw_cfg string', '-fw_cfg file'),
  ...rows('unmodelled', 'use string= or file=', '-fw_cfg *'),
  ...rows('done', 'date and time at power-on, UTC', '-rtc base=[0-9]*'),
  ...rows(
    'ignored',
    'the clock starts in October 2015, so that runs can be repeated',
    '-rtc base=utc|localtime',
  ),
  ...rows('unmodelled', 'use -rtc base=2026-01-31T12:00:00', '-rtc base'),
  ...rows('ignored', 'the clock runs with the instructions', '-rtc clock', '-rtc driftfix'),
  ...rows('unmodelled', 'leave it out', '-rtc *'),
  ...rows('done', 'one instruction takes 2^N virtual nanoseconds', '-icount shift=[0-9]|10'),
  ...rows('ignored', 'time is virtual', '-icount sleep', '-icount align'),
  ...rows('unmodelled', 'use shift=0 to 10', '-icount *'),
  ...rows('done', 'a reset ends the run', '-no-reboot', '-action reboot=shutdown'),
  ...rows(
    'ignored',
    'a guest that ends, ends the run',
    '-no-shutdown',
    '-action ...',
    '-watchdog-action ...',
  ),
  // What the firmware boots.
  ...rows('done', 'a kernel that the firmware starts: a bzImage or an EFI application', '-kernel ...'),
  ...rows('done', 'its initial RAM disk', '-initrd ...'),
  ...rows('done', 'its command line', '-append ...'),
  ...rows(
    'done',
    'whether the firmware offers its menu, and for how many milliseconds',
    '-boot menu',
    '-boot splash-time',
  ),
  ...rows('done', 'milliseconds after which a failed boot starts anew', '-boot reboot-timeout'),
  ...rows('done', 'nothing is booted but what is named', '-boot strict'),
  ...rows('ignored', 'UEFI goes by bootindex= and its own variables', '-boot order', '-boot once'),
  ...rows('ignored', WINDOW, '-boot splash'),
  ...rows('unmodelled', 'use menu, splash-time, reboot-timeout or strict', '-boot *'),
  // Left out.
  ...rows('ignored', 'firmware is not told', '-name ...', '-numa ...', '-id ...'),
  ...rows(
    'ignored',
    'there are none by default',
    '-nodefaults',
    '-no-user-config',
    '-nodefconfig',
    '-no-fd-bootchk',
  ),
  ...rows('done', 'firmware gets no ACPI tables', '-no-acpi'),
  ...rows('ignored', 'a timer that is there all the same', '-no-hpet'),
  ...rows(
    'done',
    'a further ACPI table',
    '-acpitable file',
    '-acpitable data',
    '-acpitable sig',
    '-acpitable rev',
  ),
  ...rows('done', 'its names', '-acpitable oem_id', '-acpitable oem_table_id', '-acpitable oem_rev'),
  ...rows('done', 'its names', '-acpitable asl_compiler_id', '-acpitable asl_compiler_rev'),
  ...rows('unmodelled', 'use file=, or sig= and data=', '-acpitable *'),
  ...rows(
    'done',
    'what SMBIOS says of firmware, system, board, chassis, CPUs, memory',
    '-smbios type=0|1|2|3|4|11|17',
  ),
  ...rows('unmodelled', 'use types 0, 1, 2, 3, 4, 11 or 17', '-smbios type', '-smbios file'),
  ...rows('done', 'of SMBIOS', '-uuid ...'),
  ...rows(
    'ignored',
    WINDOW,
    '-display ...',
    '-vnc ...',
    '-spice ...',
    '-full-screen',
    '-k ...',
    '-sdl',
    '-curses',
  ),
  ...rows('ignored', WINDOW, '-vga none', '-parallel none|null', '-usb', '-show-cursor'),
  ...rows('unmodelled', NO_DISPLAY, '-vga ...'),
  ...rows('ignored', 'there is none', '-net none', '-nic none'),
  ...rows('unmodelled', NO_NETWORK, '-net ...', '-nic ...', '-netdev ...'),
  ...rows('ignored', MONITOR, '-monitor ...', '-qmp ...', '-qmp-pretty ...', '-mon ...', '-echr ...'),
  ...rows(
    'ignored',
    PROCESS,
    '-D ...',
    '-d ...',
    '-dfilter ...',
    '-trace ...',
    '-msg ...',
    '-pidfile ...',
    '-daemonize',
  ),
  ...rows(
    'ignored',
    PROCESS,
    '-sandbox ...',
    '-runas ...',
    '-run-with ...',
    '-chroot ...',
    '-overcommit ...',
  ),
  ...rows(
    'ignored',
    PROCESS,
    '-mem-prealloc',
    '-mem-path ...',
    '-compat ...',
    '-only-migratable',
    '-add-fd ...',
  ),
  ...rows(
    'ignored',
    PROCESS,
    '-singlestep',
    '-enable-sync-profile',
    '-async-teardown',
    '-perfmap',
    '-jitdump',
  ),
  ...rows('ignored', 'it is about the memory of the host', '-object memory-backend-*'),
  ...rows('ignored', NOT_USED, '-object rng-*', '-object iothread', '-object secret*', '-object tls-*'),
  ...rows('ignored', NOT_USED, '-object thread-context', '-object throttle-group', '-object input-linux'),
  ...rows('ignored', NOT_USED, '-audiodev ...', '-audio ...', '-iscsi ...', '-drive-id ...'),
  // Refused.
  ...rows('unmodelled', 'leave it out', '-object ...', '-set ...', '-plugin ...', '-cpu-list ...'),
  ...rows('unmodelled', 'write its options on the command line', '-readconfig ...', '-writeconfig ...'),
  ...rows('unmodelled', NO_DISK, '-fda ...', '-fdb ...'),
  ...rows('unmodelled', NO_DISK, '-sd ...', '-mtdblock ...', '-fsdev ...', '-virtfs ...'),
  ...rows('unmodelled', NO_DEVICE_TREE, '-dtb ...'),
  ...rows('unmodelled', 'leave it out: there is no BIOS that would run it', '-option-rom ...'),
  ...rows(
    'unmodelled',
    NO_DEVICE,
    '-usbdevice ...',
    '-tpmdev ...',
    '-parallel ...',
    '-watchdog ...',
    '-soundhw ...',
  ),
  ...rows('unmodelled', 'leave it out: there is no gdb server', '-s', '-gdb ...', '-S'),
  ...rows('unmodelled', 'leave it out: a guest begins at its reset', '-loadvm ...', '-incoming ...'),
  ...rows(
    'unmodelled',
    'leave it out',
    '-preconfig',
    '-semihosting',
    '-xen-domid ...',
    '-xen-attach',
    '-win2k-hack',
  ),
];

/** What stands among the options for the name of the program. */
export const PROGRAM = '-program';

/** Other names of QEMU's options, and of ours before QEMU's were read here. */
export const OPTION_ALIASES: ReadonlyMap<string, string> = new Map([
  ['-M', '-machine'],
  ['-memory', '-m'],
  ['-rom', '-bios'],
]);

/** Whether an option is in the table, and whether it takes a value; undefined: it is not. */
export function takesValue(option: string): boolean | undefined {
  const row = QEMU_OPTIONS.find(({ words }) => words.split(' ')[0] === option);
  return row?.words.includes(' ');
}

/** Every option, each once. */
export function optionNames(): string[] {
  return [...new Set(QEMU_OPTIONS.map(({ words }) => words.split(' ')[0]!)), ...OPTION_ALIASES.keys()];
}

/** The row of an option, or of a member of its value; undefined if there is none. */
export function rowOf(option: string, key?: string, value = ''): QemuOption | undefined {
  return QEMU_OPTIONS.find(({ words }) => {
    const [name, what] = words.split(/ (.*)/);
    if (name !== option) return false;
    if (what === undefined || what === '...') return true;
    if (key === undefined) return false;
    const [wantedKey = '', wantedValue] = what.split(/=(.*)/);
    return fits(wantedKey, key) && (wantedValue === undefined || fits(wantedValue, value));
  });
}

/** Whether a text is one of the alternatives of a pattern with `*` and `[...]`. */
function fits(pattern: string, text: string): boolean {
  return pattern.split('|').some((each) => {
    const source = each.replace(/[.+]/g, '\\$&').replaceAll('*', '.*');
    return new RegExp(`^(?:${source})$`, 'i').test(text);
  });
}
