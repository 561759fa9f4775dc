/* What firmware on the emulated board may ask for. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#define BOARD_PAINT 0xA5A5A5A5u

extern uint32_t stack_low[], stack_top[];

void board_say(const char *text);
void board_leave(int32_t status);

/* Ticks since the start, of 24 bits. How many instructions one is, with QEMU's -icount shift=0, is
 * for a loop of known length to tell: */
uint32_t board_ticks(void);
void board_loop(uint32_t times); /* two instructions each */

/* Bytes of stack that were ever used. */
uint32_t board_stack(void);

#endif
