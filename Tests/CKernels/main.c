// Runs every test on every instruction-set build this machine has.
#include <string.h>

#include "support.h"

int passed, failed;

int main(int argc, char **argv) {
  bool any = false;
  for (int i = 0; i < attn_isa_count(); i++) {
    const char *name = attn_isa_at(i);
    if (argc > 1 && strcmp(argv[1], name) != 0) continue;
    any = true;
    int before = passed, failed_before = failed;
    CHECK(attn_isa_select(name) == 0, "cannot select %s", name);
    test_elements();
    test_quantised();
    test_products();
    test_attend();
    printf("%-9s %d passed, %d failed\n", name, passed - before, failed - failed_before);
  }
  CHECK(any, "no build %s that this machine can run", argc > 1 ? argv[1] : "");
  test_threads();
  test_builds();
  CHECK(attn_isa_select("no such build") == -1, "an unknown build was selected");
  for (int i = 0; i < attn_isa_count(); i++) CHECK(attn_isa_can_run(attn_isa_at(i)), "a build that can run");
  CHECK(!attn_isa_can_run("no such build") && !attn_isa_can_run(NULL), "builds that cannot");
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
