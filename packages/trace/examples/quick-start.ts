import { diagnose, formatMessage, parseTraceText } from '@smm/trace';

const { events } = parseTraceText(`
kvm_enter_smm:    vcpu 1: entering SMM, smbase 0x30000
kvm_exit:         reason EPT_VIOLATION rip 0x7ffdcf46 info 181 0
kvm_page_fault:   address fee00020 error_code 181
kvm_enter_smm:    vcpu 1: leaving SMM, smbase 0x7ffc1000
`);
const [diagnosis] = diagnose(events, { planned: [0x7ffc1000, 0x7ffc1800] });
console.log(diagnosis?.quirk, diagnosis?.title); // => Q1 The local APIC is not there in SMM
console.log(diagnosis?.evidence[2]?.line); // => kvm_page_fault:       address fee00020 error_code 181
console.log(formatMessage(events[3]!)); // => vcpu 1: leaving SMM, smbase 0x7ffc1000
