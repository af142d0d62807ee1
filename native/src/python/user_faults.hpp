// How often users' functions failed, for Python.
#pragma once

#include <nanobind/nanobind.h>

#include "fingerprint/user_matchers.hpp"

// By protocol: how often it failed, and how often what it said was refused.
nanobind::dict faults_dict(const flowclass::fingerprint::UserMatchers* user,
                           const flowclass::fingerprint::UserFaults& faults);
