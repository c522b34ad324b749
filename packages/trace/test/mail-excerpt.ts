/** The trace excerpt of the mail "SMBASE relocation" of 2015-10-21 on edk2-devel, as it stands there. */
export const MAIL_EXCERPT = `---------
kvm_enter_smm:    vcpu 1: entering SMM, smbase 0x30000
...
kvm_entry:        vcpu 1
kvm_exit:         reason EPT_VIOLATION rip 0x7ffdcf46 info 181 0
kvm_page_fault:   address fee00020 error_code 181
kvm_exit:         reason EXTERNAL_INTERRUPT rip 0x7ffd2df1 info 0
                    800000ef
...
kvm_enter_smm:    vcpu 1: leaving SMM, smbase 0x7ffc1000
...
kvm_entry:        vcpu 1
kvm_exit:         reason APIC_ACCESS rip 0x7fd8cd09 info 20 0
kvm_emulate_insn: 0:7fd8cd09: 8b 1b
kvm_apic:         apic_read APIC_ID = 0x1000000
kvm_mmio:         mmio read len 4 gpa 0xfee00020 val 0x1000000
kvm_entry:        vcpu 1
---------`;

/** Pieces of the mail around the excerpt: a quoted log, a quoted and wrapped trace line, and prose. */
export const MAIL_PROSE = `On 10/21/15 14:10, Laszlo Ersek wrote:
>   32       KVM    2      stuck in SMBASE relocation, APIC IDs look valid
>
> ------------
> SMRAM TileSize = 00000800
> CPU[000]  APIC ID=0000  SMBASE=7FFC1000  SaveState=7FFD0C00  Size=00000400
> CPU[001]  APIC ID=0001  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400
> SmmRelocateBases: sending SMI IPI to APIC ID 0x1
> ------------
>
> ------------
>  qemu-system-i38-22085 [000] 13634.057590: kvm_enter_smm:        vcpu 1:
> leaving SMM, smbase 0x7ffc1000
> ------------

kvm_init_vcpu() [kvm-all.c]
  kvm_arch_vcpu_id() [target-i386/kvm.c]

Hm... Maybe scratch all of the above? Looking more closely at the trace:

${MAIL_EXCERPT}

It looks like the APIC_ID read (at mmio 0xfee00020)  *within* SMM fails
with EPT_VIOLATION, without apic_read actually happening.`;
