#pragma once

namespace strider::test {

/// Set by a test: engines that are made from then on multiply wrongly.
extern bool products_are_wrong;

}  // namespace strider::test
