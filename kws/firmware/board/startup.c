/* From reset to main on a bare Cortex-M, and out by semihosting. */
#include "board.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];
int main(void);
void reset(void);
static void fault(void);

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))(uintptr_t)stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0,
    fault, fault, 0, fault, fault};

static int32_t semihost(int32_t operation, const void *argument) {
  register int32_t r0 __asm("r0") = operation;
  register const void *r1 __asm("r1") = argument;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void board_say(const char *text) { semihost(4, text); }

void board_leave(int32_t status) {
  const uint32_t block[2] = {0x20026u, (uint32_t)status};
  semihost(0x20, block);
  for (;;) {
  }
}

static void fault(void) {
  board_say("fault\n");
  board_leave(1);
}

void reset(void) {
  uint32_t *to, *from = data_load;
#if defined(__ARM_FP)
  *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the FPU on */
  __asm volatile("dsb\n isb");
#endif
  for (to = data_start; to < data_end;) *to++ = *from++;
  for (to = bss_start; to < bss_end;) *to++ = 0;
  to = (uint32_t *)__builtin_frame_address(0) - 16;
  while (to > stack_low) *--to = BOARD_PAINT;
  *(volatile uint32_t *)0xE000E014u = 0xFFFFFFu; /* SysTick counts down, again and again */
  *(volatile uint32_t *)0xE000E018u = 0;
  *(volatile uint32_t *)0xE000E010u = 5;
  board_leave(main());
}

uint32_t board_ticks(void) { return (0xFFFFFFu - *(volatile uint32_t *)0xE000E018u) & 0xFFFFFFu; }

void board_loop(uint32_t times) {
  __asm volatile(".syntax unified\n1: subs %0, %0, #1\n bne 1b" : "+l"(times) : : "cc");
}

uint32_t board_stack(void) {
  const uint32_t *at = stack_low;
  while (*at == BOARD_PAINT) at++;
  return (uint32_t)((stack_top - at) * (int32_t)sizeof *at);
}
