/* source.c - lines that the renderers' tests quote. Never compiled. */
#include <stdlib.h>

struct node *make_node(void) {
    	  return malloc(sizeof(struct node)); /* a blank or two, and a tab */  
}

int main(void) {
    struct node *root;
    for (;;)
        root = make_node();
}
