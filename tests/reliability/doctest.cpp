// The precompiled headers that the tests share name doctest, whose definitions have to be somewhere.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
