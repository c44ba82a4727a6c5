/* test_cfi_row.c - descriptions that say of a return address that it is signed are told from others. What
 * steps rows make is test_unwind.c's business. */
#include "support.h"

#include "unwind/cfi_row.h"

/* As of two functions, whose instructions are nops. The first is described as compilers do it for aarch64
 * with -mbranch-protection; elsewhere no assembler has a name for that. */
__asm__(".text\n" /* global: an address of a local one, by way of the GOT, loses its offset on aarch64 */
        ".globl signing, signing_now, signed_before, not_signing, not_signing_now, undescribed\n"
        "signing: .cfi_startproc\n"
        "nop\n"
        "signing_now: .cfi_escape 0x2d\n" /* .cfi_negate_ra_state */
        "nop\n"
        ".cfi_remember_state\n"
        "nop\n"
        ".cfi_escape 0x2d\n"
        "signed_before: nop\n"
        ".cfi_restore_state\n"
        "nop\n"
        ".cfi_endproc\n"
        "not_signing: .cfi_startproc\n"
        "nop\n"
        ".cfi_def_cfa_offset 45\n" /* the same byte, an operand */
        "not_signing_now: nop\n"
        ".cfi_endproc\n"
        "undescribed: nop\n");
extern const char signing[], signing_now[], signed_before[], not_signing[], not_signing_now[], undescribed[];

static void tells_what_signs(void **state) {
    (void)state;
    assert_false(cfi_row_signs((uintptr_t)signing));
    assert_true(cfi_row_signs((uintptr_t)signing_now));
    assert_true(cfi_row_signs((uintptr_t)signed_before)); /* who does not know it never comes this far */
    assert_false(cfi_row_signs((uintptr_t)not_signing));
    assert_false(cfi_row_signs((uintptr_t)not_signing_now));
}

static void bears_what_is_not_described(void **state) {
    static const char data[16];
    (void)state;
    assert_false(cfi_row_signs((uintptr_t)undescribed));
    assert_false(cfi_row_signs((uintptr_t)data));
    assert_false(cfi_row_signs(0));
    assert_false(cfi_row_signs(UINTPTR_MAX));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_signs),
        cmocka_unit_test(bears_what_is_not_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
