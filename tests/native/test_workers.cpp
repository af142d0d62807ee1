// Every piece of every round is done once, and a round is over when all of it is.
#include <atomic>
#include <cstddef>
#include <vector>

#include "check.hpp"
#include "engine/workers.hpp"

using flowclass::engine::Workers;

TEST(workers_do_every_piece_once) {
    for (const std::size_t threads : {1U, 2U, 3U, 8U}) {
        Workers workers(threads);
        for (std::size_t round = 0; round < 200; ++round) {
            const std::size_t pieces = round % 11;
            std::vector<std::atomic<int>> done(pieces);
            workers.each(pieces, [&done](std::size_t piece) { ++done[piece]; });
            for (const auto& count : done) {
                CHECK_EQ(count.load(), 1);
            }
        }
    }
}

TEST(workers_see_what_was_written_before_and_between_rounds) {
    Workers workers(4);
    std::vector<std::size_t> values(64, 1);  // no atomics: rounds order everything
    for (std::size_t round = 0; round < 100; ++round) {
        workers.each(values.size(), [&values](std::size_t piece) { values[piece] += piece; });
        for (std::size_t piece = 0; piece < values.size(); ++piece) {
            CHECK_EQ(values[piece], 1 + (round + 1) * piece);
        }
    }
}
