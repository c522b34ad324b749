/*
 * Executes x87 and SSE instructions on the machine it runs on: loads an FNSAVE image, runs the code, reports the
 * FNSAVE image after it. Vectors come on stdin, results go to stdout, both as fixed-size little-endian records.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define DATA 0x10000000ul /* the memory operand */
#define CODE 0x20000000ul
#define STATE 0x30000000ul

/* CODE_BYTES and OPERAND_BYTES come from the compiler's command line. */
struct vector {
  uint8_t image[112]; /* 108 used */
  uint64_t flags;
  uint8_t code[CODE_BYTES];
  uint64_t length;
  uint8_t memory[OPERAND_BYTES];
};

struct result {
  uint8_t image[112];
  uint64_t flags;
  uint64_t rax;
  uint64_t signal;
  uint8_t memory[OPERAND_BYTES];
};

/* STATE: 0 image in, 80h image out, 100h flags in, 108h flags out, 110h rax out, 118h stack, 120h CODE, 128h leave */
extern void enter_code(void);
extern void leave_code(void);
__asm__(
    ".intel_syntax noprefix\n"
    ".text\n"
    ".globl enter_code\n"
    "enter_code:\n"
    "push rbx\npush rbp\npush r12\npush r13\npush r14\npush r15\n"
    "mov [0x30000118], rsp\n"
    "frstor [0x30000000]\n"
    "xor eax, eax\n"
    "push qword ptr [0x30000100]\npopfq\n"
    "jmp qword ptr [0x30000120]\n"
    ".globl leave_code\n"
    "leave_code:\n"
    "mov [0x30000110], rax\n"
    "mov rsp, [0x30000118]\n"
    "pushfq\npop qword ptr [0x30000108]\ncld\n"
    "fnsave [0x30000080]\n"
    "pop r15\npop r14\npop r13\npop r12\npop rbp\npop rbx\nret\n"
    ".att_syntax\n");

static sigjmp_buf back;

static void caught(int number) { siglongjmp(back, number); }

static void *fixed(unsigned long at, int protection) {
  return mmap((void *)at, 0x1000, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void) {
  static uint8_t alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  struct sigaction action = {.sa_handler = caught, .sa_flags = SA_ONSTACK | SA_NODEFER};
  int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
  struct vector in;
  struct result out;
  uint8_t *state = fixed(STATE, PROT_READ | PROT_WRITE);
  uint8_t *code = fixed(CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
  uint64_t *words = (uint64_t *)(state + 0x100);

  fixed(DATA, PROT_READ | PROT_WRITE);
  sigaltstack(&stack, 0);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  words[4] = CODE;
  words[5] = (uint64_t)leave_code;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    static const uint8_t jump[] = {0xff, 0x24, 0x25, 0x28, 0x01, 0x00, 0x30}; /* jmp [30000128h] */
    memcpy(state, in.image, sizeof in.image);
    words[0] = in.flags;
    memcpy(code, in.code, in.length);
    memcpy(code + in.length, jump, sizeof jump);
    memset((void *)DATA, 0, 0x1000);
    memcpy((void *)DATA, in.memory, sizeof in.memory);
    memset(&out, 0, sizeof out);
    int number = sigsetjmp(back, 1);
    if (number == 0) {
      enter_code();
      memcpy(out.image, state + 0x80, 108);
      out.flags = words[1];
      out.rax = words[2];
    }
    out.signal = number;
    memcpy(out.memory, (void *)DATA, sizeof out.memory);
    fwrite(&out, sizeof out, 1, stdout);
  }
  return 0;
}
