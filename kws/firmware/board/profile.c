/* Hears the audio that is compiled in; prints what it detects, and what each part takes. */
#include "audio.h"
#include "board.h"
#include "kws.h"
#include "kws_self_test.h"

#define BLOCK 160
#define CALLS 25
#define LOOPS 500000
#define MODULO 0xFFFFFFu

static kws spotter;

static void say(const char *name, uint32_t value) {
  char digits[12];
  int at = 11;
  digits[at] = 0;
  do digits[--at] = (char)('0' + value % 10);
  while (value /= 10);
  board_say(name);
  board_say(" ");
  board_say(digits + at);
  board_say("\n");
}

static uint32_t since(uint32_t then) { return (board_ticks() - then) & MODULO; }

static void hear(void) {
  int32_t at;
  uint32_t ticks = 0;
  kws_init(&spotter);
  for (at = 0; at < AUDIO_SAMPLES; at += BLOCK) {
    const int32_t left = AUDIO_SAMPLES - at;
    kws_detection found;
    int32_t more;
    kws_feed(&spotter, audio + at, left < BLOCK ? left : BLOCK);
    do {
      const uint32_t then = board_ticks();
      more = kws_next(&spotter, &found);
      ticks += since(then);
      if (more) {
        board_say("detection ");
        board_say(kws_labels[found.label]);
        say("", (uint32_t)found.score);
        say("sample", found.sample);
      }
    } while (more);
  }
  say("whole", ticks);
}

static void measure(void) {
  int32_t call, at = 0, frames = 0;
  uint32_t ticks = 0, then = board_ticks();
  for (call = 0; call < CALLS; call++) kws_nn_run(&spotter.nn, spotter.frames, spotter.posteriors);
  say("model", since(then));
  then = board_ticks();
  for (call = 0; call < CALLS; call++) kws_decoder_push(&spotter.decoder, spotter.posteriors);
  say("decoder", since(then));
  kws_features_reset(&spotter.features);
  while (at < AUDIO_SAMPLES && frames < CALLS) {
    int32_t complete;
    then = board_ticks();
    at += kws_features_push(&spotter.features, audio + at, AUDIO_SAMPLES - at < BLOCK ? 1 : BLOCK);
    complete = kws_features_frame(&spotter.features, spotter.values);
    if (complete) kws_features_quantize(spotter.values, spotter.frames);
    ticks += since(then);
    frames += complete;
  }
  say("features", ticks);
  say("frames", (uint32_t)frames);
  then = board_ticks();
  board_loop(LOOPS);
  say("ticks", since(then));
  say("instructions", 2 * LOOPS);
}

int main(void) {
  hear();
  say("stack", board_stack());
  measure();
  say("calls", CALLS);
  say("ram", sizeof spotter);
  say("self_test", (uint32_t)kws_self_test(&spotter));
  return 0;
}
