// The mutex orders everything but which piece is whose.
#include "engine/workers.hpp"

namespace flowclass::engine {

Workers::~Workers() {
    {
        const std::scoped_lock lock(mutex_);
        over_ = true;
    }
    begins_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

void Workers::each(std::size_t pieces, const std::function<void(std::size_t)>& work) {
    if (count_ <= 1 || pieces <= 1) {
        for (std::size_t piece = 0; piece < pieces; ++piece) {
            work(piece);
        }
        return;
    }
    while (threads_.size() + 1 < count_) {
        threads_.emplace_back([this] { serve(); });
    }
    {
        const std::scoped_lock lock(mutex_);
        work_ = &work;
        pieces_ = pieces;
        next_.store(0, std::memory_order_relaxed);
        busy_ = threads_.size();
        ++round_;
    }
    begins_.notify_all();
    do_pieces();
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return busy_ == 0; });
}

void Workers::serve() {
    std::size_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        begins_.wait(lock, [this, seen] { return over_ || round_ != seen; });
        if (over_) {
            return;
        }
        seen = round_;
        lock.unlock();
        do_pieces();
        lock.lock();
        if (--busy_ == 0) {
            ended_.notify_one();
        }
    }
}

void Workers::do_pieces() {
    for (std::size_t piece = next_.fetch_add(1, std::memory_order_relaxed); piece < pieces_;
         piece = next_.fetch_add(1, std::memory_order_relaxed)) {
        (*work_)(piece);
    }
}

}  // namespace flowclass::engine
