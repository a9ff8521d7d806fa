// How fast a machine does something at best.
#ifndef LUFFY_BEST_RATE_H
#define LUFFY_BEST_RATE_H

#include <algorithm>
#include <chrono>

namespace luffy {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Best of the tries that fit into a tenth of a second: other programs only ever slow a try down.
template <class Try> double best_rate(const Try& rate_of_one_try) {
    const Clock::time_point begin = Clock::now();
    double best = 0;
    for (int tries = 0; tries < 4 || seconds_since(begin) < 0.1; tries++) best = std::max(best, rate_of_one_try());
    return best;
}

} // namespace luffy

#endif
