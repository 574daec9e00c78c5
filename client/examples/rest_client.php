<?php
// Send an image or a PDF to the gateway, print what it found, and save its pictures beside the file.
//
//     php rest_client.php ocr|seal-recognition|human-keypoint-detection FILE [URL]
//
// PHP 8, no extension. The environment variable PADDLEX_TRITON_API_KEY holds the key of a server that wants one.
declare(strict_types=1);

const PIPELINES = ['ocr', 'seal-recognition', 'human-keypoint-detection'];

function fail(string $message, int $status = 1): never
{
    fwrite(STDERR, "$message\n");
    exit($status);
}

/** Post JSON; return the status, the header Retry-After and the answer. */
function post(string $url, string $body): array
{
    $headers = ['Content-Type: application/json'];
    if ($key = getenv('PADDLEX_TRITON_API_KEY')) {
        $headers[] = "Authorization: Bearer $key";
    }
    // Without `ignore_errors` there is no answer to read where the status is not 200.
    $options = ['method' => 'POST', 'header' => $headers, 'content' => $body, 'timeout' => 300, 'ignore_errors' => true];
    $stream = @fopen($url, 'rb', false, stream_context_create(['http' => $options]));
    if ($stream === false) {
        fail(error_get_last()['message']);
    }
    $answered = stream_get_meta_data($stream)['wrapper_data'];
    $retryAfter = preg_grep('/^Retry-After:/i', $answered);
    $seconds = $retryAfter ? (int) trim(explode(':', end($retryAfter))[1]) : 1;
    return [(int) explode(' ', $answered[0])[1], $seconds, stream_get_contents($stream)];
}

/** Return the `result` of the server's answer; a server that is busy is asked once more, when it says. */
function ask(string $url, array $body): array
{
    $sent = json_encode($body);
    [$status, $retryAfter, $content] = post($url, $sent);
    if ($status === 503) {
        sleep($retryAfter);
        [$status, , $content] = post($url, $sent);
    }
    $answer = json_decode($content, true) ?? fail("error $status: the answer is no JSON");
    if ($status !== 200 || $answer['errorCode'] !== 0) {
        fail("error {$answer['errorCode']}: {$answer['errorMsg']} (logId {$answer['logId']})");
    }
    return $answer['result'];
}

/** Write pictures in base64; there are none if the server does not draw. */
function save(array $pictures, string $stem): void
{
    foreach (array_filter($pictures) as $key => $picture) {
        file_put_contents("{$stem}_$key.jpg", base64_decode($picture));
    }
}

if ($argc < 3 || $argc > 4 || !in_array($argv[1], PIPELINES, true)) {
    fail('usage: php rest_client.php ' . implode('|', PIPELINES) . ' FILE [URL]', 2);
}
[, $pipeline, $file] = $argv;
$server = $argv[3] ?? 'http://127.0.0.1:8080';
$extension = pathinfo($file, PATHINFO_EXTENSION);
$content = @file_get_contents($file);
if ($content === false) {
    fail(error_get_last()['message']);
}
$content = base64_encode($content);
$result = ask("$server/$pipeline", $pipeline === 'human-keypoint-detection'
    ? ['image' => $content]
    : ['file' => $content, 'fileType' => strtolower($extension) === 'pdf' ? 0 : 1]);

$stem = $extension === '' ? $file : substr($file, 0, -strlen($extension) - 1);
foreach ($result['persons'] ?? [] as $person) {
    printf("person %.3F, keypoints %.3F\n", $person['detScore'], $person['kptScore']);
}
save(['image' => $result['image'] ?? null], $stem);
$pages = $result['ocrResults'] ?? $result['sealRecResults'] ?? [];
foreach ($pages as $number => $page) {
    if (count($pages) > 1) {
        echo "page $number\n";
    }
    // A page of seals has the result of each seal.
    foreach ($page['prunedResult']['seal_res_list'] ?? [$page['prunedResult']] as $found) {
        foreach ($found['rec_texts'] as $index => $text) {
            printf("%.3F %s\n", $found['rec_scores'][$index], $text);
        }
    }
    $pictures = ['ocrImage' => $page['ocrImage'] ?? null] + ($page['outputImages'] ?? []);
    save($pictures, count($pages) > 1 ? "{$stem}_$number" : $stem);
}
