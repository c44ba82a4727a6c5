/* recursive_parser.c - a parser by recursive descent that allocates each of its leaves from another stack.
 *     recursive_parser STACKS [LEVELS]     prints "ok" when all values are right
 *
 * Expression i of STACKS is nested as the digits of i say, to the base 4, from the innermost digit out: a
 * parenthesis, a minus, an index or a second operand. So its innermost number is parsed at a stack of its
 * own, and the stacks of expressions one after another differ in the newest frames' callers. LEVELS more
 * parentheses go around it (0): enough of them, and all stacks are deeper than HEAPTALLY_NFRAME.
 *
 * The grammar: sum = product {'+' product};  product = factor {'*' factor};
 *              factor = number | '(' sum ')' | '-' factor | '[' sum ']'
 *
 * The block of each innermost number stays until the end, all others are freed at once. */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX  10000
#define TEXT_BYTES  (4 * LEVELS_MAX + 512)
#define OUT_OF_LINE __attribute__((noinline))

struct node {
    char kind; /* '+', '*', '-', '[' or '#' */
    bool kept; /* in the list of numbers: freed at the end */
    int64_t number;
    struct node *left, *right;
};

static const char *at;         /* what is not parsed yet */
static struct node *kept_list; /* linked by `left` */

static void fail(const char *what) {
    fprintf(stderr, "recursive_parser: %s at '%.20s'\n", what, at);
    exit(1);
}

OUT_OF_LINE static struct node *node_new(char kind, struct node *left, struct node *right) {
    struct node *node = malloc(sizeof *node);
    if (node == NULL)
        fail("no memory");
    *node = (struct node){.kind = kind, .left = left, .right = right};
    return node;
}

static void expect(char wanted) {
    if (*at != wanted)
        fail("syntax error");
    at++;
}

static struct node *parse_sum(void);

/* The innermost number ends in '!'. */
static struct node *parse_number(void) {
    struct node *node = node_new('#', NULL, NULL);
    if (!isdigit((unsigned char)*at))
        fail("no number");
    for (; isdigit((unsigned char)*at); at++)
        node->number = node->number * 10 + (*at - '0');
    if (*at == '!') {
        at++;
        node->kept = true;
        node->left = kept_list;
        kept_list = node;
    }
    return node;
}

OUT_OF_LINE static struct node *parse_bracketed(char open, char close) {
    expect(open);
    struct node *inner = parse_sum();
    expect(close);
    return inner;
}

OUT_OF_LINE static struct node *parse_factor(void) {
    switch (*at) {
    case '(': return parse_bracketed('(', ')');
    case '[': {
        struct node *index = parse_bracketed('[', ']');
        return node_new('[', index, NULL);
    }
    case '-': {
        at++;
        struct node *operand = parse_factor();
        return node_new('-', operand, NULL);
    }
    default: return parse_number();
    }
}

OUT_OF_LINE static struct node *parse_product(void) {
    struct node *left = parse_factor();
    while (*at == '*') {
        at++;
        struct node *right = parse_factor();
        left = node_new('*', left, right);
    }
    return left;
}

OUT_OF_LINE static struct node *parse_sum(void) {
    struct node *left = parse_product();
    while (*at == '+') {
        at++;
        struct node *right = parse_product();
        left = node_new('+', left, right);
    }
    return left;
}

/* The value; an index is worth one more than what it holds. Frees the tree on the way. */
static int64_t evaluate(struct node *node) {
    int64_t value = 0;
    switch (node->kind) {
    case '#': value = node->number; break;
    case '-': value = -evaluate(node->left); break;
    case '[': value = evaluate(node->left) + 1; break;
    default: {
        int64_t left = evaluate(node->left), right = evaluate(node->right);
        value = node->kind == '+' ? left + right : left * right;
    }
    }
    if (!node->kept)
        free(node);
    return value;
}

/* ---- expressions ---- */

struct form {
    const char *before, *after;
};

static const struct form forms[] = {{"(", ")"}, {"-", ""}, {"[", "]"}, {"(1+", ")"}};

static char *add(char *end, const char *part) {
    size_t length = strlen(part);
    memcpy(end, part, length + 1);
    return end + length;
}

static int digits_of(uint64_t count) {
    int digits = 1;
    while (digits < 31 && count > (uint64_t)1 << 2 * digits)
        digits++;
    return digits;
}

/* Writes expression `number` of a family with so many digits; returns its value. */
static int64_t write_expression(char *text, uint64_t number, int digits, int levels) {
    char *end = text;
    int64_t value = 7;
    for (int i = 0; i < levels; i++)
        end = add(end, "(");
    for (int i = digits - 1; i >= 0; i--)
        end = add(end, forms[number >> 2 * i & 3].before);
    end = add(end, "7!");
    for (int i = 0; i < digits; i++) {
        unsigned digit = number >> 2 * i & 3;
        end = add(end, forms[digit].after);
        value = digit == 1 ? -value : value + (digit >= 2);
    }
    for (int i = 0; i < levels; i++)
        end = add(end, ")");
    return value;
}

static void parse_one(uint64_t number, int digits, int levels) {
    static char text[TEXT_BYTES];
    int64_t expected = write_expression(text, number, digits, levels);
    at = text;
    struct node *tree = parse_sum();
    if (*at != '\0')
        fail("more than an expression");
    if (evaluate(tree) != expected)
        fail("wrong value");
}

int main(int argc, char **argv) {
    int levels = argc == 3 ? atoi(argv[2]) : 0;
    if (argc < 2 || argc > 3 || levels < 0 || levels > LEVELS_MAX) {
        fprintf(stderr, "usage: recursive_parser STACKS [LEVELS] (at most %d levels)\n", LEVELS_MAX);
        return 2;
    }
    uint64_t stacks = strtoull(argv[1], NULL, 10);
    int digits = digits_of(stacks);
    for (uint64_t i = 0; i < stacks; i++)
        parse_one(i, digits, levels);
    while (kept_list != NULL) {
        struct node *next = kept_list->left;
        free(kept_list);
        kept_list = next;
    }
    puts("ok");
    return 0;
}
