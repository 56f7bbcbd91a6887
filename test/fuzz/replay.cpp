// replay FOLDER: runs a fuzz target over every file of a folder; each file is a test. The program is linked with one
// target. It prints a line for each file that failed and, as the last line, `N passed, N failed`. Its status is 0 only
// if there were files and none failed. The files run in a child process, and in a new one after each crash.
#include "promise.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr unsigned seconds_per_file = 20;

/// The progress of a child, in memory that it shares with its parent.
struct Progress {
    std::size_t next; ///< the number of the file that runs now
    bool unreadable;  ///< this file could not be read
};

std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

/// Reads a file; null if that fails. The buffer has the exact size, so that AddressSanitizer finds reads past the end.
std::unique_ptr<char[]> read(const fs::path& file, std::size_t size) {
    auto bytes = std::make_unique<char[]>(size);
    std::ifstream in(file, std::ios::binary);
    return in.read(bytes.get(), static_cast<std::streamsize>(size)) ? std::move(bytes) : nullptr;
}

void run(const fs::path& file, Progress& progress) {
    const std::size_t size = fs::is_regular_file(file) ? fs::file_size(file) : 0;
    const auto bytes = fs::is_regular_file(file) ? read(file, size) : nullptr;
    if (bytes == nullptr) {
        progress.unreadable = true;
        std::_Exit(1);
    }
    alarm(seconds_per_file);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.get()), size);
    alarm(0);
}

/// Runs the files from `progress.next` on, until one crashes. @return whether all succeeded
bool run_in_child(const std::vector<fs::path>& files, Progress& progress) {
    const pid_t child = fork();
    if (child == 0) {
        for (; progress.next < files.size(); ++progress.next)
            run(files[progress.next], progress);
        std::exit(0); // not _Exit, so that leaks are found
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int replay(const fs::path& folder) {
    const std::vector<fs::path> files = files_of(folder);
    void* const shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        throw std::runtime_error("no shared memory");
    Progress& progress = *new (shared) Progress{};
    std::size_t failed = 0;
    while (progress.next < files.size() && !run_in_child(files, progress)) {
        ++failed;
        const bool at_a_file = progress.next < files.size();
        std::cout << "FAILED: " << (at_a_file ? files[progress.next].string() : "after the last file, a leak perhaps")
                  << (progress.unreadable ? " (unreadable)" : "") << std::endl;
        progress = {progress.next + 1, false};
    }
    if (files.empty()) {
        std::cout << "FAILED: " << folder.string() << " is empty" << std::endl;
        failed = 1;
    }
    std::cout << files.size() - std::min(failed, files.size()) << " passed, " << failed << " failed" << std::endl;
    return failed == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return argc == 2 ? replay(argv[1]) : 2;
    } catch (const std::exception& error) {
        std::cout << "FAILED: " << error.what() << "\n0 passed, 1 failed" << std::endl;
        return 1;
    }
}
