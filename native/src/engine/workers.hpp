// A few threads that stay, for work that comes in rounds. Takes: how many pieces a round has and
// what to do with each. Gives: back when all of them are done. Guarantees: every piece is done
// once, by whoever is free, the caller among them; threads are made when a round first needs them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace flowclass::engine {

class Workers {
  public:
    // `count` threads in all; the caller of each() is one of them.
    explicit Workers(std::size_t count) : count_(count) {}
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers();

    // Calls work(0), ... work(pieces - 1); lower numbers are begun first.
    void each(std::size_t pieces, const std::function<void(std::size_t)>& work);

  private:
    void serve();
    void do_pieces();

    std::size_t count_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable begins_, ended_;
    // Of the round; written under the mutex while no thread is in a round.
    const std::function<void(std::size_t)>* work_ = nullptr;
    std::size_t pieces_ = 0;
    std::atomic<std::size_t> next_ = 0;
    std::size_t round_ = 0;
    std::size_t busy_ = 0;  // threads that have not ended the round
    bool over_ = false;
};

}  // namespace flowclass::engine
