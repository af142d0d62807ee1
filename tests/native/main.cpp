// Runs every TEST of the binary, or those whose name contains the first argument.
#include <cstring>

#include "check.hpp"

int main(int argument_count, char** arguments) {
    int run = 0;
    int failed = 0;
    for (const check::Case& test : check::cases()) {
        if (argument_count > 1 && std::strstr(test.name, arguments[1]) == nullptr) {
            continue;
        }
        const int before = check::failures();
        test.run();
        ++run;
        if (check::failures() != before) {
            std::cerr << "FAILED " << test.name << '\n';
            ++failed;
        }
    }
    std::cout << run - failed << " passed, " << failed << " failed\n";
    return failed == 0 && run > 0 ? 0 : 1;
}
