// Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.
//
//     g++ -std=c++17 -o rest_client rest_client.cpp -lcpp-httplib -lssl -lcrypto
//     ./rest_client ocr|seal-recognition|human-keypoint-detection FILE [URL]
//
// cpp-httplib, nlohmann-json and OpenSSL (its base64). The environment variable PADDLEX_TRITON_API_KEY holds the key of a
// server that wants one.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <httplib.h>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <stdexcept>
#include <string>
#include <thread>

using nlohmann::json;

std::string encode(const std::string& bytes) {
    std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    text.resize(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
    return text;
}

std::string decode(const std::string& text) {
    std::string bytes(text.size() / 4 * 3, '\0');
    auto length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                  reinterpret_cast<const unsigned char*>(text.data()), text.size());
    if (length < 0) throw std::runtime_error("the server sent a picture that is not base64");
    // OpenSSL decodes the padding too.
    bytes.resize(length - (text.size() - (text.find_last_not_of('=') + 1)));
    return bytes;
}

// Write a picture in base64; there is none if the server does not draw.
void save(const json& pictures, const std::string& key, const std::string& stem) {
    if (!pictures.contains(key) || !pictures[key].is_string()) return;
    auto path = stem + "_" + key + ".jpg";
    std::ofstream file(path, std::ios::binary);
    if (!(file << decode(pictures[key]))) throw std::runtime_error("cannot write " + path);
}

// Return the `result` of the server's answer; a server that is busy is asked once more, when it says.
json ask(const std::string& server, const std::string& path, const json& body) {
    httplib::Client client(server);
    client.set_read_timeout(std::chrono::minutes(5));
    client.set_write_timeout(std::chrono::minutes(5));
    if (auto key = std::getenv("PADDLEX_TRITON_API_KEY"); key && *key) client.set_bearer_token_auth(key);
    auto response = client.Post(path, body.dump(), "application/json");
    if (response && response->status == 503) {
        auto seconds = response->has_header("Retry-After") ? std::stoi(response->get_header_value("Retry-After")) : 1;
        std::this_thread::sleep_for(std::chrono::seconds(seconds));
        response = client.Post(path, body.dump(), "application/json");
    }
    if (!response) throw std::runtime_error(server + ": " + httplib::to_string(response.error()));
    auto answer = json::parse(response->body);
    if (response->status != 200 || answer["errorCode"] != 0) {
        throw std::runtime_error("error " + answer["errorCode"].dump() + ": " + answer["errorMsg"].get<std::string>() +
                                 " (logId " + answer["logId"].get<std::string>() + ")");
    }
    return answer["result"];
}

void read(const std::string& pipeline, const std::filesystem::path& file, const std::string& server) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error("cannot read " + file.string());
    auto content = encode({std::istreambuf_iterator<char>(stream), {}});
    auto extension = file.extension().string();
    for (auto& letter : extension) letter = std::tolower(letter);
    json body = {{"file", content}, {"fileType", extension == ".pdf" ? 0 : 1}};
    if (pipeline == "human-keypoint-detection") body = {{"image", content}};
    auto result = ask(server, "/" + pipeline, body);

    auto stem = (file.parent_path() / file.stem()).string();
    for (const auto& person : result.value("persons", json::array())) {
        std::printf("person %.3f, keypoints %.3f\n", person["detScore"].get<double>(), person["kptScore"].get<double>());
    }
    save(result, "image", stem);
    auto pages = result.value(result.contains("ocrResults") ? "ocrResults" : "sealRecResults", json::array());
    for (std::size_t number = 0; number < pages.size(); ++number) {
        const auto& page = pages[number];
        auto page_stem = pages.size() > 1 ? stem + "_" + std::to_string(number) : stem;
        if (pages.size() > 1) std::printf("page %zu\n", number);
        // A page of seals has the result of each seal.
        const auto& pruned = page["prunedResult"];
        for (const auto& found : pruned.value("seal_res_list", json::array({pruned}))) {
            for (std::size_t line = 0; line < found["rec_texts"].size(); ++line) {
                std::printf("%.3f %s\n", found["rec_scores"][line].get<double>(),
                            found["rec_texts"][line].get<std::string>().c_str());
            }
        }
        save(page, "ocrImage", page_stem);
        const auto pictures = page.value("outputImages", json::object());
        for (const auto& each : pictures.items()) save(pictures, each.key(), page_stem);
    }
}

int main(int count, char** arguments) {
    const std::string pipelines[] = {"ocr", "seal-recognition", "human-keypoint-detection"};
    if (count < 3 || count > 4 || std::find(std::begin(pipelines), std::end(pipelines), arguments[1]) == std::end(pipelines)) {
        std::cerr << "usage: rest_client ocr|seal-recognition|human-keypoint-detection FILE [URL]\n";
        return 2;
    }
    try {
        read(arguments[1], arguments[2], count == 4 ? arguments[3] : "http://127.0.0.1:8080");
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
