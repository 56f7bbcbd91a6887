// The core has never heard of PostgreSQL: a core header that sees one of its headers does not compile.
#pragma once

#if defined(POSTGRES_H) || defined(PG_VERSION_NUM)
#error "src/core is included before any PostgreSQL header, and does not use one"
#endif
