#!/usr/bin/env bash
# regress, isolation and the model against a server that has the module with AddressSanitizer and
# UndefinedBehaviorSanitizer. A report of theirs ends the server, which is a failure, and is printed.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

# In a copy: the objects of other builds stay.
work=$(mktemp -d "${servers:-/tmp}/terra_identity.sanitizers.XXXXXX")
at_exit+=('rm -rf "$work"')
chmod 755 "$work"
copy_project "$work/project"
mkdir -m 777 "$work/reports"

# libstdc++ beside libasan: it must be there when libasan looks for what throws exceptions. With libasan, the function
# bindtextdomain() waits for ever for its own lock: so nothing is translated. No fake stack: PostgreSQL measures the
# depth of its stack by addresses. What a session never frees is the business of leaks.sh.
gcc -shared -fPIC -fno-builtin -x c -o "$work/untranslated.so" - <<'C'
char *bindtextdomain(const char *domain, const char *folder) { (void)domain; return (char *)folder; }
char *bind_textdomain_codeset(const char *domain, const char *codeset) { (void)domain; return (char *)codeset; }
char *textdomain(const char *domain) { return (char *)domain; }
char *gettext(const char *text) { return (char *)text; }
char *dgettext(const char *domain, const char *text) { (void)domain; return (char *)text; }
char *dcgettext(const char *domain, const char *text, int kind) { (void)domain; (void)kind; return (char *)text; }
char *ngettext(const char *one, const char *many, unsigned long n) { return (char *)(n == 1 ? one : many); }
char *dngettext(const char *domain, const char *one, const char *many, unsigned long n)
{
    (void)domain;
    return (char *)(n == 1 ? one : many);
}
C
libraries="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so.6) $work/untranslated.so"
options="log_path=$work/reports/report:print_stacktrace=1"
export SERVER_WRAPPER="env LD_PRELOAD='$libraries' UBSAN_OPTIONS=$options \
ASAN_OPTIONS=$options:detect_leaks=0:detect_stack_use_after_return=0"
export INSTRUMENT="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g1 -Wno-error"
HISTORIES=$(scaled 1000)
export HISTORIES
checked "under ASan and UBSan" "$work/project" regress isolation model

reports=$(find "$work/reports" -type f | wc -l)
find "$work/reports" -type f -exec head -n 40 {} \;
result "reports of ASan and UBSan" "$reports" 0 "$reports"
finish
