// Keeps PostgreSQL out of the core: a core header that is included after a header of PostgreSQL does not compile.
#pragma once

#if defined(POSTGRES_H) || defined(PG_VERSION_NUM)
#error "src/core is included before any PostgreSQL header, and does not use one"
#endif
