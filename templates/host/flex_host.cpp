// SPDX-License-Identifier: Apache-2.0
//
// Runs frames on a card: float32 in, float32 out, as many under way as there are slots.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "flex_card.hpp"
#include "flex_pipeline.hpp"

namespace {

constexpr const char* kDefaultSlots = "3";
constexpr const char* kDefaultTimeout = "60";

std::vector<std::uint8_t> read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  if (!file) throw std::runtime_error(name + " cannot be read");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::size_t elements_of(const std::vector<flex::Array>& arrays) {
  std::size_t total = 0;
  for (const flex::Array& array : arrays) total += array.elements;
  return total;
}

/// Where the values of array `index` begin in a frame.
std::size_t first_of(const std::vector<flex::Array>& arrays, std::size_t index) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < index; ++i) first += arrays[i].elements;
  return first;
}

void print_arrays(const char* title, const std::vector<flex::Array>& arrays) {
  std::cout << title;
  for (const flex::Array& array : arrays) {
    std::cout << "  " << array.name << ": float32 " << array.shape << "\n";
  }
}

int usage() {
  std::cout << "flex_host XCLBIN --weights weights.bin --program program.bin --input IN.f32 "
               "--output OUT.f32 [--slots N] [--device N] [--timeout SECONDS]\n\n"
            << "Runs " << flex_model::kName
            << ". Files of frames hold float32, little endian, frame after frame;\n"
            << "a frame is every array in this order:\n";
  print_arrays("inputs\n", flex_model::kInputArrays);
  print_arrays("outputs\n", flex_model::kOutputArrays);
  return 2;
}

unsigned number(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || value > 100000) {
    throw std::runtime_error(option + ": a number up to 100000 is expected, not " + text);
  }
  return static_cast<unsigned>(value);
}

void run(const std::string& xclbin, const std::map<std::string, std::string>& options) {
  const unsigned slots = number("--slots", options.at("--slots"));
  const unsigned device = number("--device", options.at("--device"));
  const std::chrono::seconds timeout(number("--timeout", options.at("--timeout")));
  std::ifstream input(options.at("--input"), std::ios::binary);
  if (!input) throw std::runtime_error(options.at("--input") + " cannot be read");
  std::ofstream output(options.at("--output"), std::ios::binary);
  if (!output) throw std::runtime_error(options.at("--output") + " cannot be written");
  flex::Card card(device, xclbin, read_file(options.at("--weights")),
                  read_file(options.at("--program")), slots, timeout);

  std::vector<float> in(elements_of(flex_model::kInputArrays));
  std::vector<float> out(elements_of(flex_model::kOutputArrays));
  const auto prepare = [&](unsigned slot) {
    const auto bytes = static_cast<std::streamsize>(in.size() * sizeof(float));
    input.read(reinterpret_cast<char*>(in.data()), bytes);
    if (input.gcount() == 0) return false;
    if (input.gcount() != bytes) {
      throw std::runtime_error(options.at("--input") + " ends within a frame of " +
                               std::to_string(bytes) + " bytes");
    }
    for (const flex::Port& port : flex_model::kInputs) {
      const std::size_t first = first_of(flex_model::kInputArrays, port.array);
      flex::pack(port, flex_model::kLanes, in.data() + first,
                 flex_model::kInputArrays[port.array].elements, card.memory(slot));
    }
    return true;
  };
  const auto consume = [&](unsigned slot) {
    for (const flex::Port& port : flex_model::kOutputs) {
      const std::size_t first = first_of(flex_model::kOutputArrays, port.array);
      flex::unpack(port, flex_model::kLanes, card.memory(slot), out.data() + first);
    }
    output.write(reinterpret_cast<const char*>(out.data()),
                 static_cast<std::streamsize>(out.size() * sizeof(float)));
    if (!output) throw std::runtime_error(options.at("--output") + " cannot be written");
  };

  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t frames = flex::stream_frames(card, prepare, consume);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  output.close();
  if (!output) throw std::runtime_error(options.at("--output") + " cannot be written");
  std::printf("%llu frames in %.3f s: %.1f frames/s with %u slots\n",
              static_cast<unsigned long long>(frames), seconds.count(),
              static_cast<double>(frames) / seconds.count(), card.slots());
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options = {
      {"--weights", ""}, {"--program", ""},           {"--input", ""},
      {"--output", ""},  {"--device", "0"},           {"--slots", kDefaultSlots},
      {"--timeout", kDefaultTimeout},
  };
  if (argc < 2 || argc % 2 != 0) return usage();
  for (int i = 2; i < argc; i += 2) {
    if (options.count(argv[i]) == 0) return usage();
    options[argv[i]] = argv[i + 1];
  }
  for (const auto& option : options) {
    if (option.second.empty()) return usage();
  }
  try {
    run(argv[1], options);
  } catch (const std::exception& error) {
    std::cerr << "flex_host: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
