// Interrupts: lets the program that the core runs in stop it in a long loop. The server module has a cancel heeded so.
#pragma once

#include "core/fence.h"

#include <csignal>
#include <iterator>
#include <utility>

namespace terra_identity {

struct Interrupts {
    const volatile std::sig_atomic_t* pending; ///< not 0: `process` is to be called
    void (*process)();                         ///< may throw: then what was computed up to now is dropped
};

inline constinit std::sig_atomic_t never_pending = 0;
inline constinit Interrupts interrupts{&never_pending, nullptr};

/// For a step of a long loop; see `interruptible`.
inline void check_interrupts() {
    if (*interrupts.pending != 0) [[unlikely]]
        interrupts.process();
}

/// A range whose loop checks for interrupts at every step.
template <class Range>
class Interruptible {
public:
    class Iterator {
    public:
        explicit Iterator(decltype(std::begin(std::declval<Range&>())) at) : at_(at) {}
        decltype(auto) operator*() const { return *at_; }
        bool operator!=(const Iterator& other) const { return at_ != other.at_; }
        Iterator& operator++() {
            check_interrupts();
            ++at_;
            return *this;
        }

    private:
        decltype(std::begin(std::declval<Range&>())) at_;
    };

    explicit Interruptible(Range& range) : range_(range) {}
    Iterator begin() const { return Iterator(std::begin(range_)); }
    Iterator end() const { return Iterator(std::end(range_)); }

private:
    Range& range_;
};

/// For loops over connections, events or reauths, of which there may be many: `for (Node& node :
/// interruptible(nodes))`.
template <class Range>
Interruptible<Range> interruptible(Range& range) {
    return Interruptible<Range>(range);
}

} // namespace terra_identity
