/** Command lines as people paste them; those that name files mean the ones of the distribution under these names. */
export const PASTED: readonly string[] = [
  [
    'qemu-system-x86_64 -machine q35,smm=on,accel=kvm -smp 2 -m 1024 -global ',
    'driver=cfi.pflash01,property=secure,value=on -global ICH9-LPC.disable_s3=1 -drive ',
    'if=pflash,format=raw,unit=0,readonly=on,file=CODE.fd -drive if=pflash,format=raw,unit=1,file=VARS.fd ',
    '-nographic',
  ].join(''),
  [
    'qemu-system-x86_64 -M q35,smm=on -nodefaults -display none -enable-kvm -pflash CODE.fd -pflash ',
    'VARS.fd -debugcon file:debug.log -global isa-debugcon.iobase=0x402',
  ].join(''),
  [
    'qemu-system-x86_64 -name guest=g,debug-threads=on -machine ',
    'pc-q35-9.2,usb=off,vmport=off,smm=on,dump-guest-core=off,hpet=off,pflash0=code,pflash1=vars -accel ',
    'kvm -cpu host,migratable=on -m size=2097152k -smp 4,maxcpus=8,sockets=2,dies=1,cores=4,threads=1 ',
    `-blockdev '{"driver":"file","filename":"CODE.fd","node-name":"code-f","read-only":true}' -blockdev `,
    `'{"node-name":"code","driver":"raw","file":"code-f","read-only":true}' -blockdev `,
    `'{"driver":"file","filename":"VARS.fd","node-name":"vars-f"}' -blockdev `,
    `'{"node-name":"vars","driver":"raw","file":"vars-f"}' -uuid 11111111-2222-3333-4444-555555555555 `,
    '-no-user-config -nodefaults -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=delay ',
    '-no-shutdown -boot strict=on -global ICH9-LPC.disable_s4=1 -msg timestamp=on',
  ].join(''),
  [
    'qemu-system-x86_64 -machine q35,accel=kvm:tcg -cpu qemu64,enforce -drive ',
    'if=pflash,format=raw,readonly=on,file=CODE.fd -drive if=pflash,format=raw,file=VARS.fd -serial ',
    'mon:stdio -no-reboot -net none',
  ].join(''),
  [
    'qemu-system-i386 -machine q35,smm=on -cpu coreduo,-nx -smp 2 -global ',
    'driver=cfi.pflash01,property=secure,value=on -drive ',
    'if=pflash,format=raw,unit=0,readonly=on,file=CODE32.fd -drive ',
    'if=pflash,format=raw,unit=1,file=VARS32.fd -monitor none -vga none -fw_cfg ',
    'name=opt/org.example/x,string=y',
  ].join(''),
  [
    'smm boot --firmware x64 -smp 4,sockets=2,cores=2,threads=1 -cpu Skylake-Client -machine ',
    'pc-q35-9.2+pve1',
  ].join(''),
  ['smm boot -bios OVMF.fd'].join(''),
];
