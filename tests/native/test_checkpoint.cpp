// Archives, and what they promise where the octets are not what was saved.
#include <array>
#include <cstdint>
#include <vector>

#include "base/archive.hpp"
#include "base/virtual_array.hpp"
#include "check.hpp"
#include "engine/engine.hpp"

using namespace flowclass;

namespace {

enum class Colour : std::uint8_t { red, green, count_ };

struct Values {
    bool flag = false;
    Colour colour = Colour::red;
    std::uint16_t small = 0;
    std::int64_t time = 0;
    float bits = 0;
    __extension__ unsigned __int128 wide = 0;
    std::array<std::uint32_t, 3> list{};

    template <typename Archive>
    void keep(Archive& archive) {
        archive(flag, colour, small, time, bits, wide, list);
    }
};

std::vector<std::uint8_t> saved(Values values) {
    std::vector<std::uint8_t> octets;
    base::Saver saver([&octets](base::Bytes piece) {
        octets.insert(octets.end(), piece.begin(), piece.end());
        return true;
    });
    saver(values);
    CHECK(saver.finish());
    return octets;
}

}  // namespace

TEST(archive_gives_back_what_it_was_given) {
    Values values{true, Colour::green, 0xbeef, INT64_MIN, 1.5F, 0, {1, 2, UINT32_MAX}};
    values.wide = static_cast<decltype(values.wide)>(7) << 100U;
    const std::vector<std::uint8_t> octets = saved(values);
    Values read;
    base::Loader loader(octets);
    loader(read);
    CHECK(loader.ok() && loader.remaining() == 0);
    CHECK(read.flag && read.colour == Colour::green && read.small == 0xbeef);
    CHECK(read.time == INT64_MIN && read.bits == 1.5F && read.wide == values.wide);
    CHECK(read.list == values.list);
}

TEST(archive_refuses_what_cannot_be) {
    const std::vector<std::uint8_t> good = saved({});
    for (std::size_t size = 0; size < good.size(); ++size) {
        Values read;
        base::Loader loader(base::Bytes(good).first(size));
        loader(read);
        CHECK(!loader.ok());
    }
    for (const std::size_t place :
         {std::size_t{0}, std::size_t{1}}) {  // a truth value, an enumerator
        std::vector<std::uint8_t> octets = good;
        octets[place] = 2;
        Values read;
        base::Loader loader(octets);
        loader(read);
        CHECK(!loader.ok());
        CHECK(read.colour == Colour::red);
    }
}

TEST(archive_counts_no_more_than_there_is) {
    std::vector<std::uint8_t> octets(16);
    octets[0] = 3;  // of 4 octets each, and 8 are left
    base::Loader loader(octets);
    CHECK(loader.count(0, 100, 4) == 0);
    CHECK(!loader.ok());
}

TEST(pool_places_are_each_free_or_taken_once) {
    base::Pool<int> pool(8);
    for (int value = 0; value < 6; ++value) {
        pool[pool.acquire()] = value;
    }
    pool.release(4);
    pool.release(1);
    std::vector<std::uint8_t> octets;
    base::Saver saver([&octets](base::Bytes piece) {
        octets.insert(octets.end(), piece.begin(), piece.end());
        return true;
    });
    std::vector<bool> taken;
    pool.keep_places(saver, taken);
    CHECK(saver.finish());

    base::Pool<int> other(8);
    base::Loader loader(octets);
    other.keep_places(loader, taken);
    CHECK(loader.ok());
    CHECK((taken == std::vector<bool>{false, true, false, false, true, false}));
    for (int value = 0; value < 4; ++value) {
        other.put();
    }
    CHECK(other.used() == 4);
    CHECK(other.acquire() == 1 && other.acquire() == 4 && other.acquire() == 6);

    octets[12] = octets[16];  // one place twice
    base::Pool<int> third(8);
    base::Loader damaged(octets);
    third.keep_places(damaged, taken);
    CHECK(!damaged.ok());
}

TEST(engine_says_when_a_state_could_not_be_written) {
    engine::Options options;
    options.memcap = std::size_t{1} << 20U;
    engine::Engine one(options);
    const auto refused = one.save([](base::Bytes) { return false; });
    CHECK(refused.has_value());
    CHECK(refused->sentence.find("could not be written") != std::string::npos);
}
