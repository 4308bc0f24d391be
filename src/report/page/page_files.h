#pragma once
// The files that a page is made of, inside the program: our own of web/, and the libraries that drew them (see
// cmake/page.cmake), which the program may be built without.
#include <string_view>
#include <vector>

namespace strider {

/// Whether three.js and D3 were there when the program was built.
bool has_page_libraries();

/// page.html, with the marks that page.cpp replaces, and page.css.
std::string_view page_html();
std::string_view page_css();
/// The scripts in the order in which they run: the libraries, then ours.
std::vector<std::string_view> page_scripts();
/// What Debian's copyright files say of the libraries; empty where they were not there.
std::vector<std::string_view> page_licences();

}  // namespace strider
