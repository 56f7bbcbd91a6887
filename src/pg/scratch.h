// Scratch: memory for a long work, whose parts come one after another: what a part allocates is freed after it.
#pragma once

#include "pg/guard.h"

namespace terra_identity::pg {

/// Its memory is freed by `close`, or by the abort that a thrown error leads to.
class Scratch {
public:
    /// Within the current memory context.
    Scratch()
        : context_(call([] {
              return AllocSetContextCreate(CurrentMemoryContext, "terra_identity scratch", ALLOCSET_DEFAULT_SIZES);
          })) {}

    /// Runs a part of the work. Nothing that it leaves may point to what it has allocated.
    template <class F>
    void run(const F& part) const {
        const MemoryContext outer = MemoryContextSwitchTo(context_);
        part();
        MemoryContextSwitchTo(outer);
        call([this] { MemoryContextReset(context_); });
    }

    void close() const {
        call([this] { MemoryContextDelete(context_); });
    }

private:
    const MemoryContext context_;
};

} // namespace terra_identity::pg
