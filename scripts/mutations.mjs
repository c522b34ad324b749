// Mistakes that the short form of the tests must find, one at a time: `npm run mutate`. Each row is a file, a text that
// it holds exactly once, what stands there instead, and the test files that must fail.
const CPU = 'packages/cpu-core';
const NATIVE = `${CPU}/test/oracle-native.test.ts`;
const FLOATS = `${CPU}/test/float-native.test.ts`;
const TIERS = `${CPU}/test/tier-differential.test.ts`;
const BOOT = 'packages/machine/src/scenario/boot';
const MACHINE = 'packages/machine/test';
const IMAGES = `${MACHINE}/boot-images.test.ts`;

export const MUTATIONS = [
  // Instructions
  [`${CPU}/src/semantics/arith.ts`, 'v.sub(w, v.sub(w, x, y), carry)', 'v.sub(w, x, y)', NATIVE],
  [`${CPU}/src/semantics/arith.ts`, 'const signed = insn.op === OP.IMUL1;', 'const signed = false;', NATIVE],
  [`${CPU}/src/semantics/shift.ts`, 'v.xor(carry, v.shr(w, r, v.const(top)))', 'carry', NATIVE],
  [
    `${CPU}/src/semantics/shift.ts`,
    'const ring = v.const(bits + 1n);',
    'const ring = v.const(bits);',
    NATIVE,
  ],
  [
    `${CPU}/src/engine/translator/region-finder.ts`,
    'insn.kind0 === K_REL ? relativeTarget(this.#core.cpu, node.block.mode,',
    'insn.kind0 === K_REL ? relativeTarget(this.#core.cpu, this.#core.cpu.state.mode,',
    `${CPU}/test/tier-modes.test.ts`,
  ],
  [`${CPU}/src/flags.ts`, '0x9669', '0x9668', `${CPU}/test/flags.test.ts`],
  [`${CPU}/src/semantics/vector.ts`, "ANDNPS: 'PANDN'", "ANDNPS: 'PAND'", `${CPU}/test/sse-native.test.ts`],
  [`${CPU}/src/system/float/lane.ts`, 'isNan(x) ? a : b', 'isNan(y) ? b : a', FLOATS],
  [`${CPU}/src/system/float/raise.ts`, 'early & unmasked ? early : flags', 'flags', FLOATS],
  [`${CPU}/src/engine/wasm/settle-function.ts`, 'ROUND_DOWN << 13', '0', FLOATS],
  [
    `${CPU}/src/engine/wasm/float-code.ts`,
    '(truncate ? MXCSR_PM : ROUNDING_MASK) | MXCSR_DAZ',
    'MXCSR_PM',
    FLOATS,
  ],
  // What only one tier gets wrong
  [
    `${CPU}/src/engine/flag-use.ts`,
    '(insn.imm & (insn.size0 === 8 ? 63 : 31)) !== 0',
    'insn.imm !== 0',
    `${CPU}/test/engine-flags.test.ts`,
  ],
  [
    `${CPU}/src/engine/flag-use.ts`,
    'if (traits & T_SETS) return FLAGS_SETS;',
    'if (traits & (T_SETS | T_SHIFT)) return FLAGS_SETS;',
    `${CPU}/test/engine-flags.test.ts`,
  ],
  [
    `${CPU}/src/engine/translator/flag-emitter.ts`,
    'if (known.w < 8) e.i64(BigInt(64 - known.w * 8)).op(W.i64_shl);',
    'if (known.w < 4) e.i64(BigInt(64 - known.w * 8)).op(W.i64_shl);',
    TIERS,
  ],
  [`${CPU}/src/engine/translator/flag-emitter.ts`, 'if (this.known !== before) this.settle();', '', TIERS],
  // What a processor has
  [
    `${CPU}/src/decode/vex-features.ts`,
    "[2, 'F5', 'np F3 F2', 'bmi2'],",
    "[2, 'F5', 'np F3 F2', 'bmi1'],",
    `${CPU}/test/instruction-features.test.ts`,
  ],
  [
    `${CPU}/src/processor.ts`,
    'options.instructionSet << L.MODE_SET_SHIFT',
    '0',
    `${CPU}/test/operation-row.test.ts`,
  ],
  [
    `${CPU}/src/layout.ts`,
    "page.add('PDPTE', 'architectural', 8, 4)",
    "page.add('PDPTE', 'book-keeping', 8, 4)",
    `${CPU}/test/state-page.test.ts`,
  ],
  // Modes, interrupts and SMM
  [
    `${CPU}/src/system/iret.ts`,
    'if (cpl <= iopl) mask |= RFLAGS_IF;',
    'mask |= RFLAGS_IF;',
    `${CPU}/test/system-qemu.test.ts`,
  ],
  [
    `${CPU}/src/system/segments.ts`,
    'if (d.attributes & SEG_ATTR_A) return;',
    'return;',
    `${CPU}/test/system-qemu.test.ts`,
  ],
  [
    `${CPU}/src/system/smm.ts`,
    'if (cr0 & CR0_NW && !(cr0 & CR0_CD)) return',
    'if (cr0 & CR0_CD && !(cr0 & CR0_NW)) return',
    `${CPU}/test/system-smm.test.ts`,
  ],
  [
    `${CPU}/src/system/smm.ts`,
    'if (!(act & L.ACT_SMM_INSIDE_NMI)) act &= ~L.ACT_NMI_BLOCKED;',
    '',
    `${CPU}/test/system-smm.test.ts`,
  ],
  [
    `${CPU}/src/system/smm.ts`,
    '(words[SAVE_WORD.autoHaltRestart] && cpu.behaviour.autoHaltRestart)',
    '(cpu.behaviour.autoHaltRestart)',
    `${CPU}/test/system-smm.test.ts`,
  ],
  // Page walks
  [
    'packages/mmu-ept/src/guest-walker.ts',
    '(paging.cr0 & CR0_WP) === 0 ? RIGHT_WRITE : 0',
    'true ? RIGHT_WRITE : 0',
    'packages/mmu-ept/test/access.test.ts',
    'packages/mmu-ept/test/qemu.test.ts',
  ],
  [
    'packages/mmu-ept/src/guest-walker.ts',
    'i === last && needed === RIGHT_WRITE ? PTE_A | PTE_D : PTE_A',
    'i === last ? PTE_A | PTE_D : PTE_A',
    'packages/mmu-ept/test/qemu.test.ts',
    'packages/mmu-ept/test/access.test.ts',
  ],
  [
    'packages/mmu-ept/src/guest-walker.ts',
    'level === 3 ? RESERVED_1G : RESERVED_2M',
    'level === 3 ? 0 : RESERVED_2M',
    'packages/mmu-ept/test/access.test.ts',
    'packages/mmu-ept/test/qemu.test.ts',
  ],
  [
    'packages/mmu-ept/src/ept-bits.ts',
    'access === ACCESS_EXEC ? 2',
    'access === ACCESS_EXEC ? 0',
    'packages/mmu-ept/test/ept-tables.test.ts',
  ],
  [
    'packages/mmu-ept/src/shadow-mmu.ts',
    'if (slot.readonly || !g.dirtyOk) rights &= ~RIGHT_WRITE;',
    'if (slot.readonly) rights &= ~RIGHT_WRITE;',
    'packages/mmu-ept/test/shadow-mmu.test.ts',
  ],
  // APICs
  [
    'packages/xapic/src/priorities.ts',
    'inService >> 4 > tpr >> 4',
    'inService >> 4 >= tpr >> 4',
    'packages/xapic/test/priority.test.ts',
    'packages/xapic/test/qemu.test.ts',
  ],
  [
    'packages/xapic/src/apic-bus.ts',
    'logicalId >> 4 === destination >> 4 &&',
    '',
    'packages/xapic/test/destinations.test.ts',
  ],
  [
    'packages/xapic/src/timer.ts',
    '((divideConfiguration >> 1) & 4)',
    '((divideConfiguration >> 2) & 4)',
    'packages/xapic/test/timer.test.ts',
  ],
  // Chipset
  [
    'packages/chipset-q35/src/memory-map.ts',
    "range.inSmm ? 'normal-only' : 'always'",
    "'normal-only'",
    'packages/chipset-q35/test/q35-chipset.test.ts',
    'packages/machine/test/smram.test.ts',
  ],
  [
    'packages/chipset-q35/src/i8259.ts',
    'if (!isLevel(chip, line)) chip.irr &= ~(1 << line);',
    'chip.irr &= ~(1 << line);',
    'packages/chipset-q35/test/i8259.test.ts',
  ],
  [
    'packages/chipset-q35/src/ioapic.ts',
    '(entry & LEVEL) === 0 ? entry & ~REMOTE_IRR : entry',
    'entry',
    'packages/chipset-q35/test/ioapic.test.ts',
  ],
  [
    'packages/chipset-q35/src/uart-16550.ts',
    'if ((ier & IER_THRI) !== 0 && transmitterPending)',
    'if (transmitterPending)',
    'packages/chipset-q35/test/uart-16550.test.ts',
  ],
  [
    'packages/bus/src/register-file.ts',
    'only.offset === offset && only.width === size',
    'only.offset === offset',
    'packages/bus/test/register-file.test.ts',
  ],
  // SMRAM, traces, assembler, scheduler
  [
    'packages/smram/src/save-state-codec.ts',
    'loadField(view, field) & field.meant',
    'loadField(view, field)',
    'packages/smram/test/save-state-codec.test.ts',
    'packages/smram/test/save-state.oracle.test.ts',
  ],
  [
    'packages/smram/src/tiles.ts',
    'part.last < smram.start + smram.sizeBytes',
    'part.last <= smram.start + smram.sizeBytes',
    'packages/smram/test/tiles.test.ts',
  ],
  [
    'packages/trace/src/dat-pages.ts',
    'if (type === ENTRY.LONG) at += 4;',
    '',
    'packages/trace/test/dat.test.ts',
  ],
  [
    'packages/trace/src/dat-write-pages.ts',
    'if (delta >= DELTA_LIMIT) {',
    'if (delta > DELTA_LIMIT) {',
    'packages/trace/test/dat.test.ts',
  ],
  ['packages/trace/src/divergence.ts', "tails === 'ignore' &&", '', 'packages/trace/test/divergence.test.ts'],
  [
    'packages/asm/src/encode.ts',
    'if (low.code >= 8) bits |= 1;',
    'if (low.code > 8) bits |= 1;',
    'packages/asm/test/nasm.test.ts',
  ],
  [
    'packages/machine/src/scheduler.ts',
    '1 + (this.#next() % (2 * slice))',
    '1 + (this.#next() % slice)',
    'packages/machine/test/scheduler.test.ts',
  ],
  [
    'packages/machine/src/scheduler.ts',
    'this.#schedule = checked({ ...state.schedule });',
    'checked({ ...state.schedule });',
    'packages/machine/test/scheduler.test.ts',
  ],
  // Snapshots
  [
    `${CPU}/src/processor.ts`,
    'this.memory.restore(snapshot.translations);',
    '',
    `${CPU}/test/saved-translations.test.ts`,
  ],
  [
    `${CPU}/src/engine/guest-memory.ts`,
    'writable && !write ? 1 : 0',
    '0',
    `${CPU}/test/engine-guarded.test.ts`,
  ],
  // Firmware of others
  [`${BOOT}/firmware-volumes.ts`, '(sum & 0xffff) === 0 ? length : undefined', 'length', IMAGES],
  [`${BOOT}/pe-image.ts`, 'rva - start + view', 'rva + view', IMAGES],
  [`${BOOT}/image-handles.ts`, 'at + 24 + width * 10', 'at + 24 + width * 9', IMAGES],
  [`${BOOT}/bds.ts`, ' && isBehindCall(fields, word)', '', IMAGES],
  [`${BOOT}/busy-wait.ts`, 'Math.min(...loop.rips)', '[...loop.rips][1]', `${MACHINE}/boot-verdicts.test.ts`],
  [`${BOOT}/last-words.ts`, "this.#word !== 'menu'", 'true', `${MACHINE}/boot-prompt.test.ts`],
  ['apps/cli/src/boot/flash-image.ts', 'piece.some', '!piece.some', 'apps/cli/test/flash-image.test.ts'],
];
