# PGXS makefile of the module, and the entry point of everything else: see "make help".
# The module and the install script are built here; the core's unit tests belong to CMakeLists.txt.

# Goals that are scripts. They work without PostgreSQL (make check installs what is missing first).
scripts := help check check-unit check-fuzz check-regress check-isolation check-model check-t check-long check-matrix \
           check-fresh check-deb coverage deb dist demo bench fuzz format lint reference
goals := $(or $(MAKECMDGOALS),all)

ifneq (,$(filter $(scripts),$(goals)))
ifneq (,$(filter-out $(scripts),$(goals)))
$(error run these apart: "make $(filter-out $(scripts),$(goals))" and "make $(filter $(scripts),$(goals))")
endif

# Settings of a run, from the command line or the environment; the scripts read them there.
ifneq (,$(PG_CONFIG))
export PG_CONFIG
endif
export SUITES TESTS KEEP PAGE SANITIZE HISTORIES DISTRIBUTIONS MACHINES ROWS SCALE RUNS MERGE PARTS WRITE
.PHONY: $(scripts)
.NOTPARALLEL:

help:
	@echo 'make                  build terra_identity.so and terra_identity--VERSION.sql'
	@echo 'make install          install them into the PostgreSQL of PG_CONFIG'
	@echo 'make installcheck     run pg_regress and the isolation tests against a running server that has it installed'
	@echo 'make clean            remove everything that was built'
	@echo 'make check            all tests, against a private server; installs nothing but missing packages'
	@echo '                      SUITES="unit fuzz regress isolation model t" to choose,'
	@echo '                      SANITIZE=ON for unit tests under ASan and UBSan, HISTORIES=N for the model'
	@echo 'make check-NAME       one suite: check-unit check-fuzz check-regress check-isolation check-model check-t'
	@echo 'make check-long       at full length what make check does a little of: hours; PARTS="orders" to choose,'
	@echo '                      SCALE=0.1 for goals times that, WRITE=1 to write what it reached into docs/reliability.md'
	@echo 'make check-matrix     make check on every supported Debian (root only); DISTRIBUTIONS="trixie sid"'
	@echo 'make check-fresh      make demo and make check where little or half of it is installed (root only);'
	@echo '                      DISTRIBUTIONS="bookworm trixie", MACHINES="minimal client foreign" to choose'
	@echo 'make coverage         what of the core the unit tests run, and of the bridge the other suites; 20 minutes,'
	@echo '                      SUITES="regress" to choose these'
	@echo 'make deb              the Debian package postgresql-NN-terra-identity, of what is committed, in build/deb'
	@echo 'make check-deb        builds it in new Debians, with lintian; tests, installs and removes it (root only);'
	@echo '                      DISTRIBUTIONS="bookworm trixie sid" to choose'
	@echo 'make dist             the archive for PGXN, of what is committed, in build/dist'
	@echo 'make demo             run test/demo/demo.sql; KEEP=1 leaves its server running, PAGE=1 shows the story on a'
	@echo '                      web page (examples/support) until Ctrl-C'
	@echo 'make bench            measure against a bare table, on a private server; 65 GB of disk, 90 minutes, less with'
	@echo '                      ROWS="1 2 4" to choose, SCALE=0.01 for sizes times that; RUNS=5 rounds'
	@echo 'make fuzz             run the fuzz targets with libFuzzer; SECONDS=60 for each of them,'
	@echo '                      MERGE=1 to add what they reach to test/fuzz/corpus, which make check replays'
	@echo 'make format           clang-format the sources in place'
	@echo 'make reference        write docs/reference.md and personal-data.md anew, from the COMMENTs of sql/install'
	@echo 'make lint             clang-tidy the core, and check what no compiler does'

check:
	@test/harness/check.sh

check-unit check-fuzz check-regress check-isolation check-model check-t:
	@SUITES=$(@:check-%=%) test/harness/check.sh

check-long:
	@test/harness/check_long.sh

check-matrix:
	@test/harness/matrix.sh

check-fresh:
	@test/harness/fresh.sh

check-deb:
	@test/harness/check_deb.sh

coverage demo bench dist deb:
	@test/harness/$@.sh

# Not by the environment: bash counts in a variable of this name.
fuzz:
	@test/harness/fuzz.sh $(SECONDS)

format lint:
	@test/harness/$@.sh

reference:
	@test/t/reference.sh --write

else

ifeq (,$(PG_CONFIG))
PG_CONFIG := $(shell test/harness/pg_config.sh)
endif
ifeq (,$(PG_CONFIG))
$(error no PostgreSQL with its server headers was found: install postgresql-server-dev-NN or set PG_CONFIG)
endif

EXTENSION = terra_identity
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" terra_identity.control)
MODULE_big = terra_identity
OBJS = $(patsubst %.cpp,build/module/%.o,$(sort $(wildcard src/*.cpp src/*/*.cpp)))
install_script = $(EXTENSION)--$(EXTVERSION).sql
upgrade_scripts = $(notdir $(wildcard sql/upgrade/*.sql))
DATA_built = $(install_script) $(upgrade_scripts)
REGRESS = $(sort $(basename $(notdir $(wildcard sql/*.sql))))
ISOLATION = $(sort $(basename $(notdir $(wildcard test/isolation/specs/*.spec))))
# Tests list rows in the order of "C", whatever the server's collation is.
REGRESS_OPTS = --encoding=UTF8 --no-locale
ISOLATION_OPTS = $(REGRESS_OPTS) --inputdir=test/isolation
EXTRA_CLEAN = build

# -isystem outranks the -I that PGXS adds, so PostgreSQL's headers do not warn and ours do.
PG_CPPFLAGS = -Isrc -isystem $(shell $(PG_CONFIG) --includedir-server) $(export_15)
PG_CXXFLAGS = -std=c++20 -fvisibility=hidden -Wall -Wextra -O2 $(WERROR)
# PostgreSQL 15 does not say yet which symbols of a module built with hidden visibility are for the server.
export_15 = $(if $(filter 15,$(MAJORVERSION)),-DPGDLLEXPORT='__attribute__((visibility("default")))')
# test/long/sanitizers.sh and test/harness/coverage.sh set INSTRUMENT.
SHLIB_LINK = -lstdc++ $(INSTRUMENT)
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Says in one line what to do if another user's build is in the way.
ifneq (0,$(shell test/harness/build_folder.sh >&2; echo $$?))
$(error nothing was built)
endif

# Rewritten when the PostgreSQL or the flags change, so that objects of another build are not reused.
compiler_line := $(VERSION) $(CXX) $(filter-out -Werror,$(CXXFLAGS)) $(CPPFLAGS) $(INSTRUMENT)
ifneq ($(compiler_line),$(file < build/module/compiler-line))
$(shell mkdir -p build/module)
$(file > build/module/compiler-line,$(compiler_line))
endif

build/module/%.o: %.cpp build/module/compiler-line
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) $(CPPFLAGS) $(INSTRUMENT) -MMD -MP -c $< -o $@

# The module refuses to work with an install script of another version.
build/module/src/pg/version.o: override CPPFLAGS += -DEXTENSION_VERSION='"$(EXTVERSION)"'
build/module/src/pg/version.o: terra_identity.control

-include $(OBJS:.o=.d)

# The install script is its parts in reading order; the folder is named for a part that was removed.
install_parts = $(sort $(wildcard sql/install/*.sql))
$(install_script): $(install_parts) sql/install
	cat /dev/null $(install_parts) > $@.new
	mv $@.new $@

# An upgrade script takes what it creates from these parts, too.
$(upgrade_scripts): %.sql: sql/upgrade/%.sql sql/upgrade/build.awk $(install_parts) sql/install
	awk -f sql/upgrade/build.awk $< $(install_parts) > $@.new
	mv $@.new $@

# "sudo make install" leaves nothing of root's behind.
all: hand-over
.PHONY: hand-over
hand-over: all-lib $(DATA_built)
	@test/harness/build_folder.sh hand-over

endif
