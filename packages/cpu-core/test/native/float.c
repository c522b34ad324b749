/*
 * Runs a loop over records on the machine it runs on. In: header, code, records; out: the records as the code left
 * them. The code finds the records at RSI, their number in R8D, and ends with RET; after an instruction that faults it
 * goes on at `skip`, and the record at RSI is told the signal.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

#define RECORDS 0x10000000ul
#define CODE 0x20000000ul
#define RECORD 80
#define SIGNAL 72 /* of a record: the signal, 32 bit */

struct header {
  uint32_t length; /* of the code */
  uint32_t skip;   /* offset in the code */
  uint32_t count;  /* of records */
};

static struct header header;

static void caught(int number, siginfo_t *info, void *context) {
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  (void)info;
  *(uint32_t *)(registers[REG_RSI] + SIGNAL) = number;
  registers[REG_RIP] = CODE + header.skip;
}

static void *fixed(unsigned long at, size_t size, int protection) {
  return mmap((void *)at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void) {
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGFPE, &action, 0);
  uint8_t *code = fixed(CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC);
  while (fread(&header, sizeof header, 1, stdin) == 1) {
    size_t size = (size_t)header.count * RECORD;
    void *records = fixed(RECORDS, size, PROT_READ | PROT_WRITE);
    uint32_t mxcsr;
    if (fread(code, header.length, 1, stdin) != 1 || fread(records, size, 1, stdin) != 1) return 1;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile(
        "mov %[records], %%rsi\n\tmov %[count], %%r8d\n\tcall *%[code]\n\temms"
        :
        : [records] "r"(records), [count] "r"(header.count), [code] "r"(code)
        : "rax", "rcx", "rdx", "rbx", "rsi", "rdi", "r8", "r9", "xmm0", "xmm1", "memory", "cc");
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    fwrite(records, size, 1, stdout);
    munmap(records, size);
  }
  return 0;
}
