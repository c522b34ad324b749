/*
 * Executes single user-mode instructions on the machine it runs on. Vectors come on stdin, results go to stdout, both
 * as fixed-size little-endian records. Everything the instruction can touch lies at fixed addresses below 2 GiB.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define DATA 0x10000000ul  /* two pages; the operand lies around their border */
#define WINDOW (DATA + 0xf00) /* 512 bytes that are loaded and reported */
#define CODE 0x20000000ul
#define STATE 0x30000000ul

struct vector {
  uint64_t gpr[16];
  uint64_t flags;
  uint8_t code[16];
  uint64_t length;
  uint8_t memory[512];
};

struct result {
  uint64_t gpr[16];
  uint64_t flags;
  uint64_t signal;
  uint8_t memory[512];
};

/* STATE: 0 gpr in, 128 flags in, 256 gpr out, 384 flags out, 512 harness stack pointer, 520 address of leave_code */
extern void enter_code(void);
extern void leave_code(void);
__asm__(
    ".intel_syntax noprefix\n"
    ".text\n"
    ".globl enter_code\n"
    "enter_code:\n"
    "push rbx\npush rbp\npush r12\npush r13\npush r14\npush r15\n"
    "mov [0x30000200], rsp\n"
    "push qword ptr [0x30000080]\npopfq\n"
    "mov rax,[0x30000000]\nmov rcx,[0x30000008]\nmov rdx,[0x30000010]\nmov rbx,[0x30000018]\n"
    "mov rsp,[0x30000020]\nmov rbp,[0x30000028]\nmov rsi,[0x30000030]\nmov rdi,[0x30000038]\n"
    "mov r8,[0x30000040]\nmov r9,[0x30000048]\nmov r10,[0x30000050]\nmov r11,[0x30000058]\n"
    "mov r12,[0x30000060]\nmov r13,[0x30000068]\nmov r14,[0x30000070]\nmov r15,[0x30000078]\n"
    "jmp qword ptr [0x30000210]\n"
    ".globl leave_code\n"
    "leave_code:\n"
    "mov [0x30000100],rax\nmov [0x30000108],rcx\nmov [0x30000110],rdx\nmov [0x30000118],rbx\n"
    "mov [0x30000120],rsp\nmov [0x30000128],rbp\nmov [0x30000130],rsi\nmov [0x30000138],rdi\n"
    "mov [0x30000140],r8\nmov [0x30000148],r9\nmov [0x30000150],r10\nmov [0x30000158],r11\n"
    "mov [0x30000160],r12\nmov [0x30000168],r13\nmov [0x30000170],r14\nmov [0x30000178],r15\n"
    "mov rsp,[0x30000200]\n"
    "pushfq\npop qword ptr [0x30000180]\ncld\n"
    "pop r15\npop r14\npop r13\npop r12\npop rbp\npop rbx\nret\n"
    ".att_syntax\n");

static sigjmp_buf back;

static void caught(int number) { siglongjmp(back, number); }

static void *fixed(unsigned long at, int protection) {
  return mmap((void *)at, 0x2000, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void) {
  static uint8_t alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
  struct vector in;
  struct result out;
  uint64_t *state = fixed(STATE, PROT_READ | PROT_WRITE);
  uint8_t *code = fixed(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);

  fixed(DATA, PROT_READ | PROT_WRITE);
  sigaltstack(&stack, 0);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  state[64 + 1] = (uint64_t)leave_code; /* 0x208 */
  state[64 + 2] = CODE;                 /* 0x210 */
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    static const uint8_t jump[] = {0xff, 0x24, 0x25, 0x08, 0x02, 0x00, 0x30}; /* jmp [30000208h] */
    memcpy(state, in.gpr, sizeof in.gpr);
    state[16] = in.flags;
    memcpy(code, in.code, in.length);
    memcpy(code + in.length, jump, sizeof jump);
    memcpy((void *)WINDOW, in.memory, sizeof in.memory);
    memset(&out, 0, sizeof out);
    int number = sigsetjmp(back, 1);
    if (number == 0) {
      enter_code();
      memcpy(out.gpr, (uint8_t *)state + 256, sizeof out.gpr);
      out.flags = state[48];
    }
    out.signal = number;
    memcpy(out.memory, (void *)WINDOW, sizeof out.memory);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
