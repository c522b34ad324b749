/**
 * Command lines of the shapes that manuals, bug reports and logs have (libvirt's, Proxmox's, Fedora's, edk2's), with
 * options that are not modelled: all of them are named at once, nothing is an internal error.
 */
import { expect, it } from 'vitest';
import { cli } from './support.ts';

const FLASH =
  '-drive if=pflash,format=raw,unit=0,readonly=on,file=CODE.fd -drive if=pflash,format=raw,unit=1,file=VARS.fd';

/** Splits at blanks; an object in braces is one word. */
function words(line: string): string[] {
  return line.match(/\{[^}]*\}|\S+/g) ?? [];
}

it.each<[shape: string, line: string, named: readonly string[]]>([
  [
    'a desktop guest of a wiki',
    `qemu-system-x86_64 -enable-kvm -m 4G -cpu host -machine q35,smm=on ${FLASH} -cdrom live.iso -device virtio-net-pci,netdev=n0 -netdev user,id=n0 -vga virtio -display gtk`,
    ['-device virtio-net-pci', '-netdev user', '-vga virtio'],
  ],
  [
    'a kernel developer’s',
    'qemu-system-x86_64 -kernel bzImage -initrd initrd.img -append console=ttyS0 -nographic -m 512 -s -S',
    ['-s (', '-S ('],
  ],
  [
    'one with a network of old words',
    'qemu-system-x86_64 -M q35 -kernel bzImage -net nic,model=e1000 -net user,hostfwd=tcp::2222-:22',
    ['-net nic', '-net user'],
  ],
  [
    'the other chipset',
    'qemu-system-x86_64 -machine pc-i440fx-2.9,accel=kvm -m 1024',
    ['-machine pc-i440fx-2.9'],
  ],
  ['a machine without PCI', 'qemu-system-x86_64 -machine microvm -bios qboot.rom', ['-machine microvm']],
  [
    'Proxmox’s, by its name of the program',
    '/usr/bin/kvm -id 100 -name vm,debug-threads=on -no-shutdown -chardev socket,id=qmp,path=/run/100.qmp,server=on,wait=off -mon chardev=qmp,mode=control -daemonize -smp 4,sockets=1,cores=4,maxcpus=4 -readconfig q35.cfg -device vmgenid,guid=1 -device VGA,id=vga -rtc base=localtime -machine hpet=off,type=pc-q35-8.1+pve0 -cpu host,kvm=on,+kvm_pv_eoi',
    ['-readconfig q35.cfg', '-device vmgenid', '-device VGA'],
  ],
  [
    'libvirt’s log, with the variables before the program',
    `LC_ALL=C PATH=/usr/bin QEMU_AUDIO_DRV=none /usr/bin/qemu-system-x86_64 -name guest=w,debug-threads=on -S -object {"qom-type":"secret","id":"masterKey0"} -machine pc-q35-7.2,usb=off,smm=on,kernel_irqchip=on -accel kvm -cpu Skylake-Client-IBRS,ss=on,hv-time=on -device {"driver":"pcie-root-port","port":16,"id":"pci.1"} -device {"driver":"qemu-xhci","id":"usb"} -tpmdev emulator,id=tpm0,chardev=c -device {"driver":"tpm-crb","tpmdev":"tpm0"}`,
    ['-S (', 'pcie-root-port', 'qemu-xhci', '-tpmdev emulator', 'tpm-crb'],
  ],
  [
    'split interrupt controllers, an IOMMU and a model that only others have',
    'sudo qemu-system-x86_64 -machine q35,smm=on,kernel-irqchip=split -device intel-iommu,intremap=on -cpu x86-64-v2',
    ['kernel-irqchip=split', '-device intel-iommu', '-cpu x86-64-v2 (', 'Nehalem'],
  ],
  ['another level of the ABI', 'qemu-system-x86_64 -cpu x86-64-v2-AES', ["'x86-64-v2-AES'", 'Westmere']],
  [
    'a pseudo-terminal as COM1',
    `qemu-system-x86_64 -M q35 -chardev pty,id=s0 -device isa-serial,chardev=s0 -device usb-kbd ${FLASH}`,
    ['-chardev pty,id=s0', '-device usb-kbd'],
  ],
  ['an edk2 developer’s with a display', 'qemu-system-i386 -m 256 -net none -vga std', ['-vga std']],
  ['a floppy', 'qemu-system-x86_64 -m 1G -nographic -fda dos.img -boot a', ['-fda dos.img']],
  [
    'a debugger’s',
    'qemu-system-x86_64 -machine q35 -d guest_errors -D q.log -gdb tcp::1234 -loadvm x',
    ['-gdb tcp::1234', '-loadvm x'],
  ],
  [
    'unknown options among others',
    'qemu-system-x86_64.exe -machine q35 -device edu -hdx foo --frobnicate -usbdevice tablet',
    ["'-hdx'", "'--frobnicate'", '-device edu', '-usbdevice tablet'],
  ],
  [
    'RHEL’s',
    '/usr/libexec/qemu-kvm -M q35 -cpu EPYC-Rome,x2apic=on,svm=off -device vfio-pci,host=01:00.0 -watchdog i6300esb',
    ['-device vfio-pci', '-watchdog i6300esb'],
  ],
])('%s: all that is refused is named at once', async (_shape, line, named) => {
  const { code, out, err } = await cli(words(line));
  const said = err.replaceAll(/\s+/g, ' ');
  expect({ code, out }).toEqual({ code: 2, out: '' });
  for (const each of named) expect(said).toContain(each);
  expect(said).not.toContain('internal error');
});
