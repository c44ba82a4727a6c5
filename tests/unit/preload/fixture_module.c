/* fixture_module.c - a library to be loaded and unloaded by test_modules.c. */
int fixture_function(int value);

int fixture_function(int value) {
    return value * 3 + 1;
}
