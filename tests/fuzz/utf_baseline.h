/* utf_baseline.h - in front of utf.c, to have its conversion a second time in fuzz_utf.c: that of
 * processors which have nothing but the baseline. */
#define UTF_BASELINE

#define utf8_length_of_utf16 baseline_utf8_length_of_utf16
#define utf8_from_utf16 baseline_utf8_from_utf16
#define utf16_length baseline_utf16_length
#define utf8_from_utf16_text baseline_utf8_from_utf16_text
#define utf16_length_of_utf8 baseline_utf16_length_of_utf8
#define utf16_from_utf8 baseline_utf16_from_utf8
#define utf8_valid baseline_utf8_valid
#define utf8_sequence baseline_utf8_sequence
#define utf8_cut baseline_utf8_cut
#define utf8_make_printable baseline_utf8_make_printable
