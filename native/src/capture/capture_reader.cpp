#include "capture/capture_reader.hpp"

#include <algorithm>
#include <array>

#include "capture/container.hpp"

namespace flowclass::capture {

CaptureReader::CaptureReader(CaptureOptions options) {
    carry_.reserve(std::min(options.carry_bytes, kMaxRecord));
}

bool CaptureReader::push(base::Bytes chunk) noexcept {
    if (finished_ || !rest_.empty()) {
        return false;
    }
    if (stage_ != Stage::stopped) {
        rest_ = chunk;
    }
    return true;
}

std::size_t CaptureReader::next_burst(std::span<packet::PacketView> out) noexcept {
    if (carry_shown_) {
        carry_.clear();
        carry_shown_ = false;
    }
    std::size_t count = 0;
    if (!carry_.empty() && (out.empty() || !fill_carry(out.front(), count))) {
        return 0;
    }
    while (count < out.size() && !rest_.empty()) {
        packet::PacketView& view = out[count];
        const Step now = step(rest_, view);
        if (now.kind == StepKind::packet || now.kind == StepKind::skipped) {
            rest_ = rest_.subspan(now.size);
            report_.bytes_consumed += now.size;
            if (now.kind == StepKind::packet) {
                view.frame = ++report_.packets;
                ++count;
            }
        } else if (now.kind == StepKind::stop) {
            stage_ = Stage::stopped;
            rest_ = {};
        } else if (count > 0) {
            return count;  // the carry may be in a view: the tail is for the next call
        } else {
            if (finished_) {
                end_with(rest_, now.size);
            } else {
                carry_.assign(rest_.begin(), rest_.end());
            }
            rest_ = {};
        }
    }
    return count;
}

// Adds to the carry what its record still lacks. True when the record is whole: then it is in the
// view, or, if it was no packet, the carry is empty. False: there were not enough bytes, or the
// record cannot be.
bool CaptureReader::fill_carry(packet::PacketView& view, std::size_t& count) noexcept {
    while (true) {
        const Step now = step(carry_, view);
        if (now.kind == StepKind::stop) {
            stage_ = Stage::stopped;
            rest_ = {};
            carry_.clear();
            return false;
        }
        if (now.kind == StepKind::need) {
            if (rest_.empty()) {
                if (finished_) {
                    end_with(carry_, now.size);
                    carry_.clear();
                }
                return false;
            }
            const base::Bytes added = rest_.first(std::min(now.size - carry_.size(), rest_.size()));
            carry_.insert(carry_.end(), added.begin(), added.end());
            rest_ = rest_.subspan(added.size());
            continue;
        }
        if (now.size == 0) {
            continue;  // the container is known now, the same bytes are read again as its header
        }
        report_.bytes_consumed += now.size;
        if (now.kind == StepKind::packet) {
            view.frame = ++report_.packets;
            ++count;
            carry_shown_ = true;
        } else {
            carry_.clear();
        }
        return true;
    }
}

void CaptureReader::finish() noexcept {
    finished_ = true;
    if (!rest_.empty() || stage_ == Stage::stopped) {
        return;
    }
    packet::PacketView unused;
    if (!carry_.empty() && !carry_shown_) {
        std::size_t none = 0;
        static_cast<void>(fill_carry(unused, none));
    } else if (report_.bytes_consumed == 0) {
        end_with({}, 0);
    }
}

Step CaptureReader::step(base::Bytes bytes, packet::PacketView& view) noexcept {
    switch (stage_) {
        case Stage::pcap_records:
            return pcap_.step(bytes, report_.bytes_consumed, view, report_);
        case Stage::pcapng_blocks:
            return pcapng_.step(bytes, report_.bytes_consumed, view, report_);
        case Stage::detect:
            return detect(bytes);
        case Stage::pcap_header:
            if (bytes.size() < kPcapFileHeader) {
                return {StepKind::need, kPcapFileHeader};
            }
            if (!pcap_.open(bytes.first(kPcapFileHeader), report_.format, report_)) {
                break;
            }
            stage_ = Stage::pcap_records;
            return {StepKind::skipped, kPcapFileHeader};
        case Stage::stopped:
            break;
    }
    return {StepKind::stop, 0};
}

Step CaptureReader::detect(base::Bytes bytes) noexcept {
    const Detection found = detect_container(bytes);
    switch (found.container) {
        case Container::undecided:
            return {StepKind::need, found.need};
        case Container::pcap:
            report_.format = found.format;
            stage_ = Stage::pcap_header;
            return {StepKind::skipped, 0};
        case Container::pcapng:
            stage_ = Stage::pcapng_blocks;
            return {StepKind::skipped, 0};
        case Container::foreign:
            report_.set_problem(Problem::unsupported_format, Finding::other_format, 0);
            report_.name = found.foreign;
            break;
        case Container::none:
            report_.set_problem(Problem::not_a_capture, Finding::unknown_magic, 0);
            break;
    }
    return {StepKind::stop, 0};
}

// The input is over with `left` unread where `need` bytes had to be.
void CaptureReader::end_with(base::Bytes left, std::size_t need) noexcept {
    const std::uint64_t offset = report_.bytes_consumed;
    switch (stage_) {
        case Stage::detect:
            if (left.empty()) {
                report_.format = Format::empty;
                report_.set_problem(Problem::empty, Finding::no_bytes, 0);
            } else if (detect_container(left).may_be_capture) {
                report_.set_problem(
                    Problem::cut, Finding::cut_in_file_header, offset, left.size(), need);
            } else {
                report_.set_problem(Problem::not_a_capture, Finding::unknown_magic, 0);
            }
            break;
        case Stage::pcap_header:
            report_.set_problem(
                Problem::cut, Finding::cut_in_file_header, offset, left.size(), need);
            break;
        case Stage::pcap_records:
            report_.set_problem(Problem::cut, Finding::cut_in_record, offset, left.size(), need);
            break;
        case Stage::pcapng_blocks:
            report_.set_problem(Problem::cut, Finding::cut_in_block, offset, left.size(), need);
            break;
        case Stage::stopped:
            break;
    }
    stage_ = Stage::stopped;
}

std::optional<base::TimeNs> first_packet_time(base::Bytes prefix) {
    CaptureReader reader(CaptureOptions{0});
    reader.push(prefix);
    std::array<packet::PacketView, 1> view;
    if (reader.next_burst(view) == 0) {
        return std::nullopt;
    }
    return view.front().time;
}

}  // namespace flowclass::capture
